"""The component, with a check that needs no server."""

import pytest
import tensorflow as tf

from records.example import make_example
from serving.engine import EngineError
from serving.infra_check import InfraCheckError


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the component on a model and images; gives the blessing, and what was asked."""
    from tfx.components.util import model_utils
    from tfx.types import standard_artifacts

    from components.infra_check import component as module

    artifacts = standard_artifacts
    model, examples, blessing = (
        kind() for kind in (artifacts.Model, artifacts.Examples, artifacts.InfraBlessing)
    )
    for name, artifact in (("model", model), ("examples", examples), ("blessing", blessing)):
        artifact.uri = str(tmp_path / name)
    served = tmp_path / "model/Format-Serving"
    (served / "assets.extra").mkdir(parents=True)
    (served / "saved_model.pb").write_text("a model")
    (tmp_path / "examples/Split-test").mkdir(parents=True)
    with tf.io.TFRecordWriter(
        str(tmp_path / "examples/Split-test/data.gz"), tf.io.TFRecordOptions("GZIP")
    ) as writer:
        for number in range(20):
            writer.write(make_example({"image": [b"%d" % number]}, {}).SerializeToString())

    def with_check(check, engine="embedded", served="", enrolled_check=None):
        monkeypatch.setattr(module, "infra_check", check)
        monkeypatch.setattr(module, "check_enrolled_classes", enrolled_check)
        function = module.InfraCheck.EXECUTOR_SPEC.executor_class._FUNCTION
        function(
            model=model, examples=examples, blessing=blessing, engine=engine, served=served, code=""
        )
        return blessing, model_utils.is_infra_validated(blessing)

    return with_check


def test_a_model_that_answers_is_blessed(run, tmp_path):
    asked = []

    def check(version_dir, images, engine):
        assert [path.name for path in version_dir.parent.iterdir()] == [version_dir.name]
        assert version_dir.name.isdigit()
        assert (version_dir / "saved_model.pb").read_text() == "a model"
        asked.extend([images, engine])
        return 3

    _, blessed = run(check)
    assert blessed
    assert asked == [[b"%d" % number for number in range(8)], "embedded"]
    assert (tmp_path / "blessing/INFRA_BLESSED").is_file()


@pytest.mark.parametrize("error", [InfraCheckError, EngineError])
def test_one_that_does_not_is_not_and_the_run_goes_on(run, tmp_path, error):
    def check(*_):
        raise error("no such op")

    blessing, blessed = run(check)
    assert not blessed
    assert blessing.get_string_custom_property("problem") == "no such op"
    assert (tmp_path / "blessing/INFRA_NOT_BLESSED").read_text() == "no such op"


def test_without_a_server_enrolled_classes_are_still_checked(run):
    asked = []

    def lost(_, served):
        asked.append(served)
        raise InfraCheckError("a class is lost")

    blessing, blessed = run(None, engine="", served="models", enrolled_check=lost)
    assert not blessed
    assert asked == ["models"]
    assert blessing.get_string_custom_property("problem") == "a class is lost"


def test_without_a_server_a_model_that_loses_no_class_is_blessed(run):
    _, blessed = run(None, engine="", served="models", enrolled_check=lambda *_: None)
    assert blessed


def test_an_engine_that_is_not_at_hand_fails_the_run(run, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EngineError, match="tensorflow_model_server is not on the PATH"):
        run(None, engine="tensorflow")
