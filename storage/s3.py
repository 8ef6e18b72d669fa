"""Lets TensorFlow in this process read and write s3://: importing this module loads its plug-in.

Beam uses boto3 itself, and imports this module in its workers as a `--beam_plugin`.
"""

from __future__ import annotations

import atexit
import ctypes

from base.errors import StorageError
from storage.s3_access import SCHEME, check_installed, how_to_install, set_aliases


def _load() -> None:
    check_installed()
    set_aliases()
    import tensorflow as tf
    import tensorflow_io  # noqa: F401 - registers the file system

    if SCHEME not in tf.io.gfile.get_registered_schemes():
        raise StorageError(f"s3://: tensorflow-io does not fit this TensorFlow; {how_to_install()}")
    atexit.register(_end_before_destructors)


def _end_before_destructors() -> None:
    """Keep the exit code: the plug-in's S3 client calls a pure virtual method in its destructor.

    It runs after Python has ended, and would abort every process that has read s3://.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "on_exit"):  # glibc's; it calls the function with the exit code
        libc.fflush(None)
        # Registered last, at Python's end, and so run before all other handlers.
        libc.on_exit(ctypes.cast(libc._exit, ctypes.c_void_p), None)


_load()
