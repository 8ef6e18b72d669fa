"""Little models to test a server with.

    python tests/serving/embedded/models.py FOLDER

writes those of the conformance suite, so that any server can be started on `FOLDER/probe`.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import sys
import tempfile
from pathlib import Path

import tensorflow as tf

FLOATS = tf.TensorSpec([None], tf.float32)
STRINGS = tf.TensorSpec([None], tf.string)


class Probe(tf.Module):
    """A signature for each thing to be asked; half_plus_two by default."""

    def __init__(self):
        super().__init__()
        self.two = tf.Variable(2.0)

    @tf.function(input_signature=[FLOATS])
    def half_plus_two(self, x):
        return {"y": x / 2 + self.two}

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


class Counter(tf.Module):
    """Tells its version.

    Args:
        version: What is told.
        ballast: Megabytes of variables, whose memory is missed when it isn't given back.
    """

    def __init__(self, version: int, ballast: int = 0):
        super().__init__()
        self.version = tf.Variable(version, dtype=tf.int64)
        self.ballast = tf.Variable(tf.ones([ballast + 1, 2**18]))

    @tf.function(input_signature=[FLOATS])
    def which(self, x):
        used = tf.cast(tf.reduce_sum(self.ballast[:, :1]), tf.int64)
        return {"version": tf.fill(tf.shape(x), self.version + 0 * used)}


def write_counter(path: Path, version: int, ballast: int = 0) -> Path:
    """Write a Counter as a SavedModel."""
    counter = Counter(version, ballast)
    tf.saved_model.save(counter, str(path), {"serving_default": counter.which})
    return path


@functools.lru_cache
def _counter(version: int, ballast: int) -> Path:
    """A Counter to copy: to export one takes much longer."""
    folder = Path(tempfile.mkdtemp(prefix="counter-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return write_counter(folder / "model", version, ballast)


def publish(base: Path, version: int, ballast: int = 0, **changes: bytes) -> Path:
    """Put a version of a Counter into a model's folder at once, as a pusher does.

    Args:
        base: The model's folder.
        version: Which the model tells.
        ballast: Megabytes of variables.
        changes: Contents of files in the version, with / as __ and . as _dot_ in their names.
    """
    staged = base.with_name(f"{base.name}-{version}")
    shutil.copytree(_counter(version, ballast), staged)
    for name, content in changes.items():
        file = staged / name.replace("__", "/").replace("_dot_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    base.mkdir(exist_ok=True)
    return staged.rename(base / str(version))


def write_probe(folder: Path) -> Path:
    """Write the probe as the only version, 1, of a model with the base path `folder`."""
    probe, path = Probe(), folder / "1"
    names = "two_inputs text image inverse outer matrix scalar dtypes spin"
    signatures = {name: getattr(probe, name) for name in names.split()}
    signatures["serving_default"] = probe.half_plus_two
    tf.saved_model.save(probe, str(path), signatures)
    return path


if __name__ == "__main__":
    write_probe(Path(sys.argv[1]) / "probe")
