"""Lets TensorFlow in this process read and write s3://: importing it loads the plug-in.

Beam has its own, boto3, and imports this in its workers as a `--beam_plugin`.
"""

from __future__ import annotations

import atexit
import ctypes

from base.errors import StorageError
from storage.s3_access import SCHEME, check_installed, mend, tell_all


def _load() -> None:
    check_installed()
    tell_all()
    import tensorflow as tf
    import tensorflow_io  # noqa: F401 - registers the file system

    if SCHEME not in tf.io.gfile.get_registered_schemes():
        raise StorageError(f"s3://: tensorflow-io does not go with this TensorFlow; {mend()}")
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
