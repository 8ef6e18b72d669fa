import pytest
from judge_views import held_out
from judged_runs import judged, write_judgement
from tfx.proto.pusher_pb2 import PushDestination
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.push.component import Pusher
from pipeline.dag import create_pipeline
from storage.lineage import read_lineage
from storage.model_versions import newest_version


@pytest.fixture
def push(tmp_path):
    """Push a model by a blessing; returns the pushed version."""
    trained = tmp_path / "trained/Format-Serving"
    trained.mkdir(parents=True)
    (trained / "saved_model.pb").write_bytes(b"graph")

    def artifact(kind, name):
        made = kind()
        made.uri = str(tmp_path / name)
        return made

    def run(blessed=True, judgement=""):
        blessing = artifact(standard_artifacts.ModelBlessing, "blessing")
        blessing.set_int_custom_property("blessed", int(blessed))
        blessing.set_string_custom_property("judgement", judgement)
        inputs = {
            "model": [artifact(standard_artifacts.Model, "trained")],
            "model_blessing": [blessing],
        }
        destination = PushDestination()
        destination.filesystem.base_directory = str(tmp_path / "serving")
        executor = Pusher.EXECUTOR_SPEC.executor_class
        context = executor.Context(pipeline_run_id="20260101-000000")
        executor(context).Do(
            inputs,
            {"pushed_model": [artifact(standard_artifacts.PushedModel, "pushed")]},
            {"push_destination": proto_utils.proto_to_json(destination)},
        )
        return newest_version(tmp_path / "serving")

    return run


def test_the_pushed_version_knows_its_run_and_verdict(push, tmp_path):
    found = judged(held_out(classes=4, each=12))
    lineage = read_lineage(push(judgement=str(write_judgement(tmp_path / "judgement", found))))
    assert (lineage.made_by, lineage.run, lineage.parent) == ("run", "20260101-000000", "")
    assert lineage.verdict.outcome == found.judgement.verdict.outcome
    assert lineage.verdict.reasons == found.judgement.verdict.reasons
    accuracy = found.judgement.metrics["class_accuracy"]
    assert lineage.verdict.figures["class_accuracy"].model_dump() == accuracy.model_dump(
        exclude={"classes"}
    )
    assert lineage.classes == dict.fromkeys(["c0", "c1", "c2", "c3"], 8)


def test_what_is_not_blessed_is_not_pushed(push):
    assert push(blessed=False) is None


def test_a_judgement_that_is_gone_does_not_undo_the_push(push, caplog):
    lineage = read_lineage(push(judgement="gone"))
    assert lineage.verdict.outcome == "blessed"
    assert "gone: cannot be read for the lineage" in caplog.text


def test_the_pipeline_pushes_with_it():
    from pipeline.config.reading import parse

    components = create_pipeline(parse({"data": {"root": "images"}})).components
    assert [type(one) for one in components if one.id == "Pusher"] == [Pusher]
