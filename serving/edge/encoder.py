"""An exported model's encoder, as the converters take it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Function = Callable[[tf.Tensor], tf.Tensor]


def encoder(model: Any) -> tuple[Function, tf.TensorSpec]:
    """Return the whole encoder, and its input: pixels of one image.

    Args:
        model: Loaded, with `body` and `head` (`trainer.export.signatures`).
    """
    body, spec = part(model.body)
    if not has_head(model):
        return body, spec
    head, _ = part(model.head)
    return lambda pixels: head(body(pixels)), spec


def has_head(model: Any) -> bool:
    """Return whether an exported model has feature maps, which its head makes an embedding of."""
    return getattr(model, "head", None) is not None


def part(function: Any) -> tuple[Function, tf.TensorSpec]:
    """Return a loaded function of one tensor, and its input."""
    [spec] = function.concrete_functions[0].structured_input_signature[0]
    return lambda values: function(values), spec
