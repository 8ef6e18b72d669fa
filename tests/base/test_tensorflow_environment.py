import sys

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


TENSORFLOW = """
import importlib
try:
    importlib.import_module("keras.src.optimizers")
except (ImportError, AttributeError):
    pass
"""


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """TensorFlow, which imports Keras as the real one does, and Keras."""
    (tmp_path / "keras/src").mkdir(parents=True)
    for module, code in [
        ("tensorflow", TENSORFLOW), ("keras/__init__", ""), ("keras/src/__init__", ""),
        ("keras/src/optimizers", ""),
    ]:  # fmt: skip
        (tmp_path / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    modules = sys.modules.copy()
    for name in modules:
        if name.partition(".")[0] in ("tensorflow", "keras"):
            del sys.modules[name]
    yield
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    sys.modules.update(modules)


def test_keras_is_not_imported_and_can_be_later(stand_ins):
    tensorflow_environment.import_without_keras()
    assert "tensorflow" in sys.modules
    assert "keras" not in sys.modules
    import keras.src.optimizers  # noqa: F401


def test_keras_that_is_there_stays(stand_ins):
    import keras.src

    tensorflow_environment.import_without_keras()
    assert sys.modules["keras"] is keras
    assert "keras.src.optimizers" in sys.modules
