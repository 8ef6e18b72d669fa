"""Versions come and go while a server runs."""

import shutil

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    prediction_log_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from tests.serving.embedded.models import publish, write_counter
from tests.serving.embedded.processes import Server, eventually, predict_request

CODE = grpc.StatusCode
AVAILABLE, END = 30, 50


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lifecycle")
    publish(folder / "first", 1)
    server = Server(
        folder / "log",
        model_name="first",
        model_base_path=folder / "first",
        file_system_poll_wait_seconds=0.05,
        max_num_load_retries=1,
        load_retry_interval_micros=300_000,
    )
    yield server
    server.kill()


class Models:
    """Says what the server serves, and asks it."""

    def __init__(self, server, folder):
        self.client = server.client()
        self.log = server.log
        self.base = folder / "m"

    def serve(self, text="", *others):
        """Serve `m` with more of its ModelConfig, and other models."""
        models = [f'name: "m" base_path: "{self.base}" {text}', *others]
        configs = "".join(f"config {{ {each} }}" for each in models)
        config = model_server_config_pb2.ModelServerConfig()
        text_format.Parse(f"model_config_list {{ {configs} }}", config)
        request = model_management_pb2.ReloadConfigRequest(config=config)
        return self.client.models.HandleReloadConfigRequest(request, timeout=60)

    def answers(self, name="m", **which):
        """The version that answers; the code if none does."""
        try:
            outputs, version = self.client.predict(name, x=[0.0], **which)
        except grpc.RpcError as e:
            return e.code()
        assert outputs["version"].tolist() == [version]
        return version

    def states(self, name="m"):
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        told = self.client.models.GetModelStatus(request, timeout=30).model_version_status
        return {each.version: each.state for each in told}

    def error(self, version):
        """Why a version isn't served; 0 and no text if there is no reason."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name, request.model_spec.version.value = "m", version
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
    """A model `m` that serves version 1."""
    publish(models.base, 1)
    models.serve()
    assert models.answers() == 1
    return models


def refused(call, code, message=""):
    with pytest.raises(grpc.RpcError) as error:
        call()
    assert (error.value.code(), message in error.value.details()) == (code, True), error.value


class TestVersions:
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

    def test_a_variable_that_the_checkpoint_lacks(self, served):
        class Hidden:
            """Keeps a variable where the export can't see that it's to be saved."""

            def __init__(self):
                self.value = tf.Variable(7.0)

        # As with a Keras variable: what is tracked isn't what the signature reads.
        path = publish(served.base, 2)
        shutil.rmtree(path)
        module, hidden = tf.Module(), Hidden()
        module.tracked = Tracked(hidden.value)
        module.answer = tf.function(
            lambda x: {"y": x + hidden.value}, [tf.TensorSpec([None], tf.float32)]
        )
        staged = served.base.with_name("staged")
        tf.saved_model.save(module, str(staged), {"serving_default": module.answer})
        staged.rename(path)
        eventually(lambda: "isn't restored" in served.error(2)[1])
        assert served.answers() == 1


class Tracked(tf.__internal__.tracking.AutoTrackable):
    """Maps a variable to another when it's exported, as Keras 3's variables do."""

    def __init__(self, variable):
        self._held = [variable]

    def _trackable_children(self, *args, **kwargs):
        return {}

    def _export_to_saved_model_graph(self, object_map, tensor_map, options, **kwargs):
        variable = self._held[0]
        return variable._export_to_saved_model_graph(object_map, tensor_map, options, **kwargs)


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
        models.serve("model_version_policy { specific { versions: 3 } }")
        eventually(lambda: models.answers() == 3)
        eventually(lambda: models.states() == {3: AVAILABLE, 2: END, 1: END})


class TestLabels:
    LABELS = (
        "version_labels {{ key: 'stable' value: {} }} version_labels {{ key: 'new' value: {} }}"
    )

    @pytest.fixture
    def both(self, models):
        for version in (1, 2):
            publish(models.base, version)
        models.serve("model_version_policy { all {} }")
        eventually(lambda: models.states() == {2: AVAILABLE, 1: AVAILABLE})
        return models

    def test_labels_are_given_and_moved(self, both):
        both.serve("model_version_policy { all {} }" + self.LABELS.format(1, 2))
        assert [both.answers(label="stable"), both.answers(label="new")] == [1, 2]
        status, _ = both.client.http("/v1/models/m/labels/stable:predict", {"instances": [1.0]})
        assert status == 200
        both.serve("model_version_policy { all {} }" + self.LABELS.format(2, 1))
        assert [both.answers(label="stable"), both.answers(label="new")] == [2, 1]
        both.serve("model_version_policy { all {} }")
        assert both.answers(label="stable") is CODE.INVALID_ARGUMENT

    def test_a_version_that_is_not_available_gets_none(self, both):
        refused(
            lambda: both.serve("model_version_policy { all {} }" + self.LABELS.format(1, 3)),
            CODE.FAILED_PRECONDITION,
            "version 3 of model m, which is not currently available",
        )
        assert both.answers(label="stable") is CODE.INVALID_ARGUMENT

    def test_a_labelled_version_that_left(self, both):
        both.serve("model_version_policy { all {} }" + self.LABELS.format(1, 2))
        shutil.rmtree(both.base / "1")
        eventually(lambda: both.answers(label="stable") is CODE.NOT_FOUND)


class TestReload:
    def test_models_are_added_and_removed(self, served, tmp_path):
        publish(tmp_path / "other", 5)
        served.serve("", f'name: "other" base_path: "{tmp_path}/other"')
        assert [served.answers(), served.answers("other")] == [1, 5]
        served.serve()
        assert served.answers("other") is CODE.NOT_FOUND
        assert served.answers() == 1

    def test_a_bad_path_changes_nothing(self, served, tmp_path):
        publish(tmp_path / "good", 5)
        refused(
            lambda: served.serve(
                "",
                f'name: "good" base_path: "{tmp_path}/good"',
                f'name: "bad" base_path: "{tmp_path}/none"',
            ),
            CODE.NOT_FOUND,
            f"Could not find base path {tmp_path}/none for servable bad",
        )
        assert served.answers() == 1
        assert served.answers("good") is CODE.NOT_FOUND
        publish(served.base, 2)
        eventually(lambda: served.answers() == 2)

    def test_a_new_model_that_can_not_be_loaded(self, served, tmp_path):
        publish(tmp_path / "bad", 1, saved_model_dot_pb=b"no proto")
        refused(
            lambda: served.serve("", f'name: "bad" base_path: "{tmp_path}/bad"'),
            CODE.UNKNOWN,
            "1 servable(s) did not become available",
        )
        assert served.answers() == 1
        publish(tmp_path / "bad", 2)
        eventually(lambda: served.answers("bad") == 2)

    def test_another_folder_of_the_same_model(self, served, tmp_path):
        served.base = tmp_path / "elsewhere"
        publish(served.base, 1)
        publish(served.base, 4)
        served.serve()
        eventually(lambda: served.answers() == 4)

    def test_of_several_folders_in_a_row_the_last_one_is_served(self, served, tmp_path):
        for number in range(2, 12):
            served.base = tmp_path / f"folder-{number}"
            publish(served.base, number)
            served.serve()
            assert served.answers() == number

    @pytest.mark.parametrize(
        "text", ['model_platform: "caffe"', "model_version_policy { specific {} }"]
    )
    def test_what_can_not_be_served(self, served, text):
        refused(lambda: served.serve(text), CODE.INVALID_ARGUMENT)
        assert served.answers() == 1


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
        lines = [line for line in served.log.read_text().splitlines() if " m: version 2 " in line]
        warm = [i for i, line in enumerate(lines) if "is warm (2 requests)" in line]
        available = [i for i, line in enumerate(lines) if "is available" in line]
        assert warm[-1] + 1 == available[-1]

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

    def test_too_many(self, served, tmp_path):
        records = self.records(predict_request("m", x=[1.0]), count=1001)
        self.publish(served.base, 2, records, tmp_path)
        eventually(lambda: "exceeds the maximum (1000)" in served.error(2)[1])
