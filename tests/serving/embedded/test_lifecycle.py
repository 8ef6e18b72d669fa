"""Versions come and go while a server runs."""

import shutil

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_status_pb2, prediction_log_pb2

from tests.serving.embedded.models import publish, write_counter
from tests.serving.embedded.processes import Server, eventually, predict_request

CODE = grpc.StatusCode
AVAILABLE, END = 30, 50


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lifecycle")
    publish(folder / "first", 1)
    config = folder / "models.txt"
    config.write_text(models_text(("first", folder / "first")))
    server = Server(
        folder / "log",
        model_config_file=config,
        model_config_file_poll_wait_seconds=0.02,
        file_system_poll_wait_seconds=0.05,
        max_num_load_retries=1,
        load_retry_interval_micros=300_000,
    )
    server.config = config
    yield server
    server.kill()


def models_text(*models):
    """A ModelServerConfig of names, base paths and more of their ModelConfigs."""
    configs = [f'config {{ name: "{n}" base_path: "{p}" {"".join(t)} }}' for n, p, *t in models]
    return f"model_config_list {{ {' '.join(configs)} }}"


class Models:
    """Says what the server serves, and asks it."""

    def __init__(self, server, folder):
        self.client = server.client()
        self.log = server.log
        self.config = server.config
        self.base = folder / "m"
        self.name = f"m-{folder.name}"  # a model of its own for each test

    def serve(self, text=""):
        """Serve the test's model, with more of its ModelConfig."""
        new = self.config.with_suffix(".new")
        new.write_text(models_text((self.name, self.base, text)))
        new.rename(self.config)

    def answers(self, **which):
        """The version that answers; the code if none does."""
        try:
            outputs, version = self.client.predict(self.name, x=[0.0], **which)
        except grpc.RpcError as e:
            return e.code()
        assert outputs["version"].tolist() == [version]
        return version

    def states(self):
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = self.name
        try:
            told = self.client.models.GetModelStatus(request, timeout=30).model_version_status
        except grpc.RpcError as e:
            return e.code()
        return {each.version: each.state for each in told}

    def error(self, version):
        """Why a version isn't served; 0 and no text if there is no reason."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name, request.model_spec.version.value = self.name, version
        try:
            response = self.client.models.GetModelStatus(request, timeout=30)
        except grpc.RpcError as e:
            if e.code() is CODE.NOT_FOUND:
                return 0, ""
            raise
        (told,) = response.model_version_status
        return told.status.error_code, told.status.error_message


@pytest.fixture
def models(server, tmp_path):
    return Models(server, tmp_path)


@pytest.fixture
def served(models):
    """A model that serves version 1."""
    publish(models.base, 1)
    models.serve()
    eventually(lambda: models.answers() == 1)
    return models


class TestVersions:
    @pytest.mark.seen_in_source
    def test_a_new_version_takes_over(self, served):
        publish(served.base, 2)
        eventually(lambda: served.answers() == 2)
        eventually(lambda: served.states() == {2: AVAILABLE, 1: END})
        assert served.answers(version=1) is CODE.NOT_FOUND

    def test_a_removed_version_gives_way_to_the_one_before(self, served):
        publish(served.base, 2)
        eventually(lambda: served.answers() == 2)
        shutil.rmtree(served.base / "2")
        eventually(lambda: served.answers() == 1)

    def test_a_half_copied_version_is_not_seen(self, served, tmp_path):
        whole, base = write_counter(tmp_path / "staged", 2), served.base
        shutil.copytree(whole / "variables", base / "2" / "variables")
        publish(base, 3)  # proves that the folder was searched since
        eventually(lambda: served.answers() == 3)
        assert 2 not in served.states()
        shutil.rmtree(base / "3")
        shutil.copy(whole / "saved_model.pb", base / "2")
        eventually(lambda: served.answers() == 2)

    def test_what_is_no_version(self, served):
        for name in ("tmp", "2.partial", "-3", "1e3", "9" * 30):
            shutil.copytree(served.base / "1", served.base / name)
        publish(served.base, 4)
        eventually(lambda: served.answers() == 4)
        assert set(served.states()) == {1, 4}

    def test_a_broken_version_disturbs_nobody(self, served):
        publish(served.base, 2, saved_model_dot_pb=b"no proto")
        eventually(lambda: served.states() == {2: END, 1: AVAILABLE})
        code, message = served.error(2)
        assert code != 0
        assert message
        assert served.answers() == 1
        publish(served.base, 3)
        eventually(lambda: served.answers() == 3)

    def test_a_load_that_fails_is_tried_again(self, served):
        broken = publish(served.base, 2)
        hidden = served.base.parent / "hidden"
        shutil.rmtree(served.base / "2")
        eventually(lambda: served.answers() == 1)
        write_counter(hidden, 2)
        (hidden / "variables").rename(hidden / "away")
        hidden.rename(broken)
        eventually(lambda: served.error(2)[0])
        (broken / "away").rename(broken / "variables")
        eventually(lambda: served.answers() == 2)

    def test_an_empty_folder_and_one_that_is_gone(self, served):
        moved = served.base.with_name("moved")
        served.base.rename(moved)
        eventually(lambda: "can't list" in served.log.read_text())
        assert served.answers() == 1  # perhaps the disk isn't there for a moment
        served.base.mkdir()
        eventually(lambda: served.answers() is CODE.NOT_FOUND)
        (moved / "1").rename(served.base / "1")
        eventually(lambda: served.answers() == 1)


class TestPolicies:
    def test_latest_two(self, models):
        for version in (1, 2, 3):
            publish(models.base, version)
        models.serve("model_version_policy { latest { num_versions: 2 } }")
        eventually(lambda: models.states() == {3: AVAILABLE, 2: AVAILABLE})
        assert [models.answers(), models.answers(version=2)] == [3, 2]
        assert models.answers(version=1) is CODE.NOT_FOUND

    def test_all(self, models):
        for version in (1, 2):
            publish(models.base, version)
        models.serve("model_version_policy { all {} }")
        eventually(lambda: models.states() == {2: AVAILABLE, 1: AVAILABLE})

    def test_specific(self, models):
        for version in (1, 2, 3):
            publish(models.base, version)
        models.serve("model_version_policy { specific { versions: 1 versions: 2 } }")
        eventually(lambda: models.states() == {2: AVAILABLE, 1: AVAILABLE})
        assert models.answers() == 2
        assert models.answers(version=3) is CODE.NOT_FOUND
        models.serve("model_version_policy { specific { versions: 3 } }")
        eventually(lambda: models.answers() == 3)
        eventually(lambda: models.states() == {3: AVAILABLE, 2: END, 1: END})


class TestLabels:
    @staticmethod
    def labels(stable, new):
        labels = {"stable": stable, "new": new}.items()
        texts = [f"version_labels {{ key: '{key}' value: {value} }}" for key, value in labels]
        return f"model_version_policy {{ all {{}} }} {' '.join(texts)}"

    @pytest.fixture
    def both(self, models):
        """Versions 1 and 2; labelled in the same file that names them first."""
        for version in (1, 2):
            publish(models.base, version)
        models.serve(self.labels(1, 2))
        for label, version in (("new", 2), ("stable", 1)):
            eventually(lambda: models.answers(label=label) == version)  # noqa: B023
        return models

    def test_labels_are_moved_and_removed(self, both):
        assert both.answers(label="stable") == 1
        path = f"/v1/models/{both.name}/labels/stable:predict"
        assert both.client.http(path, {"instances": [1.0]})[0] == 200
        both.serve(self.labels(2, 1))
        eventually(lambda: both.answers(label="new") == 1)
        assert both.answers(label="stable") == 2
        both.serve("model_version_policy { all {} }")
        eventually(lambda: both.answers(label="stable") is CODE.INVALID_ARGUMENT)

    def test_a_version_gets_its_label_once_it_is_available(self, both):
        read = both.log.read_text().count("read again")
        both.serve(self.labels(1, 3))
        eventually(lambda: both.log.read_text().count("read again") > read)
        assert both.answers(label="new") == 2
        publish(both.base, 3)
        eventually(lambda: both.answers(label="new") == 3)

    def test_a_labelled_version_that_left(self, both):
        shutil.rmtree(both.base / "1")
        eventually(lambda: both.answers(label="stable") is CODE.NOT_FOUND)


class TestWarmup:
    @staticmethod
    def records(*requests, count=1):
        """Bytes of a TFRecord file of PredictionLogs."""
        log = [
            prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            ).SerializeToString()
            for request in requests
        ]
        return log * count

    @staticmethod
    def publish(base, version, records, tmp_path):
        file = tmp_path / "records"
        with tf.io.TFRecordWriter(str(file)) as writer:
            for record in records:
                writer.write(record)
        content = file.read_bytes()
        publish(base, version, assets_dot_extra__tf_serving_warmup_requests=content)

    def test_requests_are_replayed_before_a_version_takes_others(self, served, tmp_path):
        records = self.records(predict_request("m", x=[1.0]), predict_request("any", x=[2.0]))
        self.publish(served.base, 2, records, tmp_path)
        eventually(lambda: served.answers() == 2)
        text = served.log.read_text()
        lines = [line for line in text.splitlines() if f" {served.name}: version 2 " in line]
        warm = [i for i, line in enumerate(lines) if "is warm (2 requests)" in line]
        available = [i for i, line in enumerate(lines) if "is available" in line]
        assert warm[-1] + 1 == available[-1]

    @pytest.mark.seen_in_source
    @pytest.mark.parametrize(
        ("request_", "message"),
        [
            (predict_request("m", z=[1.0]), "record 1"),
            (predict_request("m", "none", x=[1.0]), "record 1"),
            (predict_request("m", x=np.int32([1])), "record 1"),
        ],
    )
    def test_a_bad_request_fails_the_load(self, served, tmp_path, request_, message):
        self.publish(served.base, 2, self.records(request_), tmp_path)
        eventually(lambda: served.states() == {2: END, 1: AVAILABLE})
        code, text = served.error(2)
        assert (code, message in text) == (CODE.INVALID_ARGUMENT.value[0], True), text
        assert served.answers() == 1

    def test_what_is_no_request(self, served, tmp_path):
        self.publish(served.base, 2, [b"\xff\xff"], tmp_path)
        eventually(lambda: served.error(2)[0] == CODE.INVALID_ARGUMENT.value[0])

    def test_a_file_of_other_bytes(self, served):
        publish(
            served.base, 2, assets_dot_extra__tf_serving_warmup_requests=b"no records, but text"
        )
        eventually(lambda: served.error(2)[0] == CODE.INVALID_ARGUMENT.value[0])

    @pytest.mark.seen_in_source
    def test_too_many(self, served, tmp_path):
        records = self.records(predict_request("m", x=[1.0]), count=1001)
        self.publish(served.base, 2, records, tmp_path)
        eventually(lambda: "exceeds the maximum (1000)" in served.error(2)[1])
