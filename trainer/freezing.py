"""Turns a function's variables into constants, which TensorFlow computes with 10 to 20 % faster."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import tensorflow as tf

# TensorFlow's own tools take it from there too; it is in no public module.
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

MOST_BYTES = 1_500_000_000
"""Of variables that become constants: a SavedModel's graph is one protobuf, of 2 GB at most."""


def freeze(
    function: Callable[..., tf.Tensor], *specs: tf.TensorSpec, most_bytes: int = MOST_BYTES
) -> Callable[..., tf.Tensor]:
    """A function that computes the same with its variables' present values.

    Only one that computes with numbers should be given: TensorFlow's conversion does not know
    datasets or strings. Several signatures may call the result; the constants are saved once.

    Args:
        function: From tensors of `specs` to one tensor.
        specs: Of its arguments.
        most_bytes: Larger variables stay variables.

    Returns:
        A concrete function. Its `variables` are those that it still needs, none where it is frozen.
    """
    concrete = tf.function(function).get_concrete_function(*specs)
    size = sum(v.dtype.size * v.shape.num_elements() for v in concrete.variables)
    if size > most_bytes:
        logging.getLogger(__name__).warning(
            "the network's weights (%d MB) are too many for constants; they are saved as variables",
            size // 1_000_000,
        )
        return concrete
    frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
    return _Frozen(frozen, concrete.output_shapes)


class _Frozen:
    """A converted function; its answer is the tensor itself, of the shape it had."""

    variables: tuple[tf.Variable, ...] = ()

    def __init__(self, function: Any, shape: tf.TensorShape) -> None:
        self._function, self._shape = function, shape

    def __call__(self, *arguments: tf.Tensor) -> tf.Tensor:
        [answer] = tf.nest.flatten(self._function(*arguments))
        return tf.ensure_shape(answer, self._shape)
