"""Exported models of the Judge's tests, whose images are 12 numbers each, and these images."""

import hashlib

import numpy as np
import tensorflow as tf
from judge_views import clouds

from records import features, training_keys
from records.example import make_example

SIZE = 12
CLASSES = 4


class StandIn(tf.Module):
    """Takes an image for 12 numbers, and embeds it as these times a matrix."""

    def __init__(self, matrix, pixels=False, same=0.4, known=0.4, each=8, seen=(), limit=np.inf):
        super().__init__()
        self.limit = limit
        if seen is not None:
            self.training_keys = tf.Variable(np.array(seen, "int64"))
        points, labels = clouds(CLASSES, each, 0.3, seed=100)
        self.matrix, self.pixels = tf.constant(matrix, tf.float32), pixels
        self.support = tf.Module()
        self.support.embeddings = tf.Variable(points @ np.asarray(matrix, "float32"))
        self.support.labels = tf.Variable([x.encode() for x in labels])
        self.support.sources = tf.Variable([b"%d.png" % i for i in range(len(labels))])
        if pixels:
            self.support.pixels = tf.Variable(_as_pixels(points).numpy())
        self.same, self.known = same, known

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def embed(self, image):
        valid = tf.strings.length(image) == 4 * SIZE
        whole = tf.where(valid, image, tf.constant(b"\0" * 4 * SIZE))
        numbers = tf.io.decode_raw(whole, tf.float32, fixed_length=4 * SIZE)
        valid &= tf.reduce_max(numbers, axis=1) < self.limit
        answer = {"embedding": numbers @ self.matrix, "valid": valid}
        return {**answer, "pixels": _as_pixels(numbers)} if self.pixels else answer

    @tf.function(input_signature=[])
    def thresholds(self):
        return {"same": tf.constant(self.same), "known": tf.constant(self.known)}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32)] * 2)
    def similarity(self, left, right):
        return tf.exp(-tf.norm(left - right, axis=1))


def _as_pixels(numbers):
    values = tf.cast(tf.clip_by_value(numbers * 60 + 60, 0, 255), tf.uint8)
    return tf.reshape(values, [-1, 2, 2, 3])


GOOD = np.eye(SIZE)
WORSE = np.diag([1, 1, 0, 0, *[0] * 8])  # two of the four classes look alike to it
COLLAPSED = np.zeros((SIZE, SIZE))


def hash_of(point):
    return hashlib.sha256(point.astype("<f4").tobytes()).hexdigest().encode()


def keys_of(each, chosen):
    """Keys of some of `write_images`' images, by their places."""
    points, _ = clouds(CLASSES, each, 0.2, seed=0)
    return [training_keys.key(hash_of(points[i])) for i in chosen]


def write_images(folder, each, spread, labels=None):
    points, names = clouds(CLASSES, each, spread, seed=0)
    below = folder / "Split-test"
    below.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(below / "data.gz"), options="GZIP") as writer:
        for i, (point, label) in enumerate(zip(points, labels or names, strict=True)):
            record = {
                features.IMAGE: [point.astype("<f4").tobytes()],
                features.LABEL: [label.encode()],
                features.SOURCE: [b"%s/%d.png" % (label.encode(), i)],
                features.IMAGE_ID: [b"%04d" % ((i * 7) % len(names))],
                features.GROUP: [b"group %d" % i],
                features.CONTENT_HASH: [hash_of(point)],
            }
            writer.write(
                make_example(record, {features.FOLD: [features.NO_FOLD]}).SerializeToString()
            )
    return folder
