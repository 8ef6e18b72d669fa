"""Keeps log lines that tell a user nothing off the terminal and out of a run's log."""

from __future__ import annotations

import contextlib
import logging
import warnings

from base import tensorflow_environment
from base.native_log import native_log_discarded

verbose = False
"""Whether `quiet` leaves the log lines as they are; `--verbose` sets it."""

_USELESS = (
    "ArtifactQuery.property_predicate is not supported",
    "This output type hint will be ignored",
    "Using deployment config",
    "Using connection config",
    "Running launcher for",
)


def quiet() -> None:
    """Silence TensorFlow, TFX and Beam; call it before they are imported."""
    tensorflow_environment.set_defaults(quiet=not verbose)
    if verbose:
        return
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    for name in ("absl", "root"):
        logging.getLogger(name).addFilter(_useful)
    logging.getLogger("apache_beam").setLevel(logging.WARNING)


def load_tensorflow(keras: bool = True) -> None:
    """Import TensorFlow without the lines about CUDA that it prints whatever its settings.

    Args:
        keras: Whether `tensorflow.keras` is needed too.
    """
    with contextlib.nullcontext() if verbose else native_log_discarded():
        if keras:
            import tensorflow  # noqa: F401
        else:
            tensorflow_environment.import_without_keras()


def _useful(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return not any(useless in message for useless in _USELESS)
