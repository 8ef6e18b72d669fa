import pytest

from base import tensorflow_environment


@pytest.fixture
def environment(monkeypatch):
    environment = {}
    monkeypatch.setattr(tensorflow_environment.os, "environ", environment)
    yield environment
    monkeypatch.undo()  # before pytest itself writes to it


def test_onednn_is_used_on_every_cpu_and_keras_3(environment):
    tensorflow_environment.set_defaults()
    assert environment["TF_ENABLE_ONEDNN_OPTS"] == "1"
    assert environment["TF_USE_LEGACY_KERAS"] == "0"
    assert environment["TF_CPP_MIN_LOG_LEVEL"] == "3"


def test_what_the_user_has_set_stays(environment):
    environment["TF_ENABLE_ONEDNN_OPTS"] = "0"
    tensorflow_environment.set_defaults(quiet=False)
    assert environment["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert "TF_CPP_MIN_LOG_LEVEL" not in environment
