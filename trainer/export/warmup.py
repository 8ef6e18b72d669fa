"""Warm-up requests, which TensorFlow Serving sends to a new model before it serves it."""

from __future__ import annotations

import os

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

from records import features
from records.example import make_example
from trainer.settings import Size, pixel_shape

FILE = "assets.extra/tf_serving_warmup_requests"
"""Where TensorFlow Serving looks for them: https://www.tensorflow.org/tfx/serving/saved_model_warmup."""


def write_warmup(directory: str, image_size: Size) -> None:
    """Write one request for each signature of `trainer.export.signatures`, of one image or pair.

    Args:
        directory: Of the SavedModel.
        image_size: Height and width in pixels.
    """
    path = os.path.join(directory, FILE)
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.TFRecordWriter(path) as writer:
        for signature, inputs in _requests(image_size).items():
            request = PredictRequest()
            request.model_spec.name = "siamese"
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto([value]))
            log = PredictionLog(predict_log=PredictLog(request=request))
            writer.write(log.SerializeToString())


def _requests(image_size: Size) -> dict[str, dict[str, bytes | float]]:
    grey = np.full(pixel_shape(image_size), 128, "uint8")
    image = tf.io.encode_png(grey).numpy()
    pair = make_example({features.IMAGE: [image] * 2}, {})
    return {
        "serving_default": {"left": image, "right": image},
        "embed": {"image": image},
        "classify": {"image": image},
        "classify_at": {"image": image, "known_threshold": 0.0},
        "evaluate": {"examples": pair.SerializeToString()},
    }
