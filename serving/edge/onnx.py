"""Converts the encoder of an exported model to ONNX, by tf2onnx (the extra `onnx`)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import tensorflow as tf

from base.errors import UserError
from serving.edge.encoder import encoder

ENCODER = "encoder.onnx"
OPSET = 17
"""Version of the operators, which ONNX Runtime has had since 1.12, of 2022."""


def networks(model: Any) -> dict[str, bytes]:
    """Return an exported model's encoder, by its file's name.

    Args:
        model: See `serving.edge.encoder.encoder`.

    Raises:
        UserError: The converter is not installed, or the runtime by which the result is judged.
    """
    tf2onnx = _module("tf2onnx")
    _module("onnxruntime")
    function, spec = encoder(model)
    graph, _ = tf2onnx.convert.from_function(
        tf.function(function, autograph=False),
        [tf.TensorSpec(spec.shape, spec.dtype, name="pixels")],
        opset=OPSET,
    )
    return {ENCODER: graph.SerializeToString()}


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as e:
        raise UserError(f"--format onnx needs {name} ({e}); pip install 'siamese-tfx[onnx]'") from e
