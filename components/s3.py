"""Lets this process read and write s3://: importing it loads the plug-ins.

TensorFlow's is tensorflow-io, Beam's is boto3. The standard variables of AWS tell both where the
store is and who asks: AWS_ENDPOINT_URL (of a store other than Amazon's), AWS_REGION,
AWS_ACCESS_KEY_ID, ... (docs/storage.md). Beam's workers import it as `--beam_plugin`.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib.util
import os
import sys

from components.storage_error import StorageError

SCHEME = "s3"

# What either of the two calls by a name of its own, and by which of AWS's names it is known.
_ALSO_CALLED = {
    "S3_ENDPOINT": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "S3_CA_FILE": ("AWS_CA_BUNDLE",),
    "AWS_REGION": ("AWS_DEFAULT_REGION",),
    "AWS_DEFAULT_REGION": ("AWS_REGION",),
}


def _tell_both() -> None:
    for name, others in _ALSO_CALLED.items():
        value = next((os.environ[other] for other in others if os.environ.get(other)), None)
        if value:
            os.environ.setdefault(name, value)


def check_installed() -> None:
    """Refuse to go on without the plug-ins. Imports neither.

    Raises:
        StorageError: One is not installed.
    """
    if any(importlib.util.find_spec(name) is None for name in ("boto3", "tensorflow_io")):
        raise StorageError(f"s3:// needs plug-ins that are not installed; {_mend()}")


def _mend() -> str:
    if sys.version_info >= (3, 11):
        return (
            "tensorflow-io has none for the TensorFlow of this Python: use Python 3.10, gs://, or "
            "a mounted volume (docs/storage.md)"
        )
    return "install them: pip install 'siamese-tfx[s3]'"


def _load() -> None:
    check_installed()
    _tell_both()
    import tensorflow as tf
    import tensorflow_io  # noqa: F401 - registers the file system

    if SCHEME not in tf.io.gfile.get_registered_schemes():
        raise StorageError(f"s3://: tensorflow-io does not go with this TensorFlow; {_mend()}")
    atexit.register(_end_before_destructors)


def _end_before_destructors() -> None:
    """Keep the exit code: the plug-in's S3 client calls a pure virtual method when it is destroyed.

    That is after Python's end, and would abort every process that has read s3://.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "on_exit"):  # glibc's; it calls the function with the exit code
        libc.fflush(None)
        # Now, as Python ends, so that it goes before all that was registered until here.
        libc.on_exit(ctypes.cast(libc._exit, ctypes.c_void_p), None)


_load()
