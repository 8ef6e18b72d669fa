"""Little models to test a server with.

    python tests/serving/embedded/models.py FOLDER

writes those of the conformance suite, so that any server can be started on `FOLDER/probe`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"

FLOATS = tf.TensorSpec([None], tf.float32)
STRINGS = tf.TensorSpec([None], tf.string)


class Probe(tf.Module):
    """A signature for each thing to be asked; half_plus_two by default."""

    def __init__(self, version: int, ballast: int = 0):
        super().__init__()
        self.two = tf.Variable(2.0)
        self.version = tf.Variable(version, dtype=tf.int64)
        # Memory that is missed when it isn't given back; variables aren't compressed.
        self.ballast = tf.Variable(tf.ones([ballast, 2**18]), trainable=False)

    @tf.function(input_signature=[FLOATS])
    def half_plus_two(self, x):
        return {"y": x / 2 + self.two}

    @tf.function(input_signature=[FLOATS])
    def which(self, x):
        used = tf.reduce_sum(self.ballast[:1, :1])
        return {"version": tf.fill(tf.shape(x), self.version), "kept": x + 0 * used}

    @tf.function(input_signature=[FLOATS, FLOATS])
    def two_inputs(self, a, b):
        return {"sum": a + b, "difference": a - b}

    @tf.function(input_signature=[STRINGS])
    def text(self, text):
        return {"length": tf.strings.length(text), "same": text, "same_bytes": text}

    @tf.function(input_signature=[STRINGS])
    def image(self, image):
        means = tf.map_fn(
            lambda each: tf.reduce_mean(tf.cast(tf.io.decode_png(each), tf.float32)),
            image,
            fn_output_signature=tf.float32,
        )
        return {"mean": means}

    @tf.function(input_signature=[FLOATS])
    def inverse(self, x):
        return {"inverse": 1 / x}

    @tf.function(input_signature=[FLOATS, FLOATS])
    def outer(self, left, right):
        return {"product": left[:, None] * right[None, :]}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32)])
    def matrix(self, rows):
        return {"sum": tf.reduce_sum(rows, axis=1)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
    def scalar(self, number):
        return {"double": 2 * number}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], dtype)
            for dtype in (tf.int32, tf.int64, tf.uint8, tf.bool, tf.float64, tf.float16)
        ]
    )
    def dtypes(self, i32, i64, u8, flag, f64, f16):
        return {"i32": -i32, "i64": -i64, "u8": u8, "flag": ~flag, "f64": -f64, "f16": -f16}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
    def spin(self, rounds):
        def step(i, matrix):
            return i + 1, matrix @ matrix / 64

        _, end = tf.while_loop(
            lambda i, _: i < tf.reduce_max(rounds),
            step,
            [tf.constant(0, tf.int64), tf.ones([64, 64])],
        )
        return {"done": tf.cast(rounds, tf.float32) + 0 * end[0, 0]}

    @tf.function(input_signature=[STRINGS])
    def classify(self, inputs):
        x = self._x(inputs)
        labels = tf.tile(tf.constant([["low", "high"]]), [tf.shape(x)[0], 1])
        return {"classes": labels, "scores": tf.stack([1 - x, x], axis=1)}

    @tf.function(input_signature=[STRINGS])
    def regress(self, inputs):
        return {"outputs": self._x(inputs)[:, None] / 2 + self.two}

    def _x(self, examples):
        return tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], tf.float32)})["x"]


def write_probe(folder: Path, version: int, ballast: int = 0) -> Path:
    """Write a version of the probe.

    Args:
        folder: The model's base path.
        version: Which `which` tells.
        ballast: Megabytes of variables.
    """
    probe, path = Probe(version, ballast), folder / str(version)
    names = "which two_inputs text image inverse outer matrix scalar dtypes spin classify regress"
    signatures = {name: getattr(probe, name) for name in names.split()}
    tf.saved_model.save(probe, str(path), {"serving_default": probe.half_plus_two, **signatures})
    # TensorFlow 2 exports each signature as one to predict with; servers go by this.
    file = path / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    definitions = saved_model.meta_graphs[0].signature_def
    definitions["classify"].method_name = CLASSIFY
    definitions["regress"].method_name = REGRESS
    file.write_bytes(saved_model.SerializeToString())
    return path


if __name__ == "__main__":
    write_probe(Path(sys.argv[1]) / "probe", 1)
