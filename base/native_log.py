"""Keeps what C++ libraries write while they are imported off the terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def native_log_discarded() -> Iterator[None]:
    """Discard what is written to standard error; exceptions are raised as usual.

    TensorFlow 2.21 reports missing CUDA drivers as it is imported, whatever TF_CPP_MIN_LOG_LEVEL.
    """
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
