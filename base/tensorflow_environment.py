"""How TensorFlow is imported, and the environment variables that it reads then."""

import os
import sys

DEFAULTS = {
    # Importing TFT would otherwise switch tf.keras to Keras 2 for this process's children.
    "TF_USE_LEGACY_KERAS": "0",
    # By itself, TensorFlow uses oneDNN on CPUs with AVX-512 or AMX alone. With AVX2, a training
    # step takes 431 ms per image of 224 pixels and 78 ms of 32 pixels; with oneDNN 362 and 14 ms.
    "TF_ENABLE_ONEDNN_OPTS": "1",
}


def set_defaults(quiet: bool = True) -> None:
    """Set the variables that are not set yet; call it before TensorFlow is imported.

    Args:
        quiet: Whether TensorFlow's own log is silenced too.
    """
    for name, value in {**DEFAULTS, **({"TF_CPP_MIN_LOG_LEVEL": "3"} if quiet else {})}.items():
        os.environ.setdefault(name, value)


def import_without_keras() -> None:
    """Import TensorFlow for a process that has no use for Keras, nor for `tensorflow.keras`.

    TensorFlow imports all of Keras, for optimizers in SavedModels: a third of the time that its own
    import takes, and 120 MiB.
    """
    if "tensorflow" in sys.modules or "keras" in sys.modules:
        import tensorflow
    else:
        sys.modules["keras"] = None  # type: ignore[assignment]  # cannot be imported: passed over
        try:
            import tensorflow  # noqa: F401
        finally:
            del sys.modules["keras"]
