"""Runs TensorFlow's graphs as they are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

_OPTION = "disable_meta_optimizer"


@contextlib.contextmanager
def graphs_not_optimized() -> Iterator[None]:
    """Run graphs without optimizing them first: for few calls it takes longer than it saves."""
    before = tf.config.optimizer.get_experimental_options().get(_OPTION, False)
    tf.config.optimizer.set_experimental_options({_OPTION: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({_OPTION: before})
