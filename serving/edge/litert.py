"""Converts the networks of an exported model to LiteRT (TensorFlow Lite)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from serving.edge.encoder import Function, encoder, has_head, part

BODY, HEAD = "encoder.tflite", "head.tflite"


def float_networks(model: Any) -> dict[str, bytes]:
    """Return an exported model's encoder as one network, by its file's name.

    Args:
        model: See `serving.edge.encoder.encoder`.
    """
    return {BODY: _converter(*encoder(model), model).convert()}


def int8_networks(model: Any, pixels: np.ndarray) -> dict[str, bytes]:
    """Return an exported model's encoder in 8-bit integers, by the files' names in order.

    The layers up to the feature maps are quantized. The rest, which is a thousandth of the work
    and takes square roots of means, stays float.

    Args:
        model: See `serving.edge.encoder.encoder`.
        pixels: uint8 [n, height, width, 3], representative images.
    """
    body = _converter(*part(model.body), model)
    body.optimizations = [tf.lite.Optimize.DEFAULT]
    body.representative_dataset = _one_by_one(pixels)
    networks = {BODY: body.convert()}
    if has_head(model):
        networks[HEAD] = _converter(*part(model.head), model).convert()
    return networks


def _one_by_one(pixels: np.ndarray) -> Callable[[], Iterator[list[np.ndarray]]]:
    return lambda: ([image[None].astype("float32")] for image in pixels)


def _converter(function: Function, spec: tf.TensorSpec, model: Any) -> tf.lite.TFLiteConverter:
    concrete = tf.function(function, autograph=False).get_concrete_function(spec)
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
