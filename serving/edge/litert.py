"""Converts the networks of an exported model to LiteRT (TensorFlow Lite)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

BODY, HEAD = "encoder.tflite", "head.tflite"


def float_networks(model: Any) -> dict[str, bytes]:
    """Return an exported model's encoder as one network, by its file's name.

    Args:
        model: Loaded, with `body` and `head` (`trainer.export.signatures`).
    """
    size = _input(model)

    def encode(pixels: tf.Tensor) -> tf.Tensor:
        values = model.body(pixels)
        return model.head(values) if _has_head(model) else values

    return {BODY: _converter(encode, size, model).convert()}


def int8_networks(model: Any, pixels: np.ndarray) -> dict[str, bytes]:
    """Return an exported model's encoder in 8-bit integers, by the files' names in order.

    The layers up to the feature maps are quantized. The rest, which is a thousandth of the work
    and takes square roots of means, stays float.

    Args:
        model: See `float_networks`.
        pixels: uint8 [n, height, width, 3], representative images.
    """
    body = _converter(lambda values: model.body(values), _input(model), model)
    body.optimizations = [tf.lite.Optimize.DEFAULT]
    body.representative_dataset = _one_by_one(pixels)
    networks = {BODY: body.convert()}
    if _has_head(model):
        [spec] = model.head.concrete_functions[0].structured_input_signature[0]
        networks[HEAD] = _converter(lambda maps: model.head(maps), spec, model).convert()
    return networks


def _has_head(model: Any) -> bool:
    return getattr(model, "head", None) is not None


def _input(model: Any) -> tf.TensorSpec:
    [spec] = model.body.concrete_functions[0].structured_input_signature[0]
    return spec


def _one_by_one(pixels: np.ndarray) -> Callable[[], Iterator[list[np.ndarray]]]:
    return lambda: ([image[None].astype("float32")] for image in pixels)


def _converter(
    function: Callable[[tf.Tensor], tf.Tensor], spec: tf.TensorSpec, model: Any
) -> tf.lite.TFLiteConverter:
    concrete = tf.function(function, autograph=False).get_concrete_function(spec)
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
