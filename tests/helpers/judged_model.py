"""A stand-in for an exported model that can be judged: an image is embedded by its brightness."""

import numpy as np
import tensorflow as tf
from PIL import Image
from sample_images import encoded

from records.training_keys import key_of_file

LABELS = ("dark", "light")
_STRINGS = tf.TensorSpec([None], tf.string)
_ROWS = tf.TensorSpec([None, None], tf.float32)


class _Support(tf.Module):
    def __init__(self, embeddings, labels):
        super().__init__()
        self.embeddings = tf.Variable(embeddings)
        self.labels = tf.Variable(labels)
        self.sources = tf.Variable([f"{label}/{i}.png" for i, label in enumerate(labels)])


class _Embeds(tf.Module):
    """An encoder alone."""

    def __init__(self, labels=LABELS, scale=1.0):
        super().__init__()
        self._scale = scale
        brightness = np.array([0.1, 0.2, 0.8, 0.9], "float32") * scale
        rows = np.stack([brightness, scale - brightness], 1).astype("float32")
        self.support = _Support(rows, np.repeat(labels, 2))

    @tf.function(input_signature=[_STRINGS])
    def embed(self, image):
        def one(data):
            return tf.reduce_mean(tf.cast(tf.io.decode_image(data), tf.float32)) / 255

        brightness = tf.map_fn(one, image, fn_output_signature=tf.float32)
        # As a model refuses what is larger than it was trained for.
        valid = brightness < 0.99
        rows = self._scale * tf.stack([brightness, 1 - brightness], 1)
        return {"embedding": tf.where(valid[:, None], rows, np.nan), "valid": valid}

    def save(self, folder):
        tf.saved_model.save(self, str(folder), {"embed": self.embed})
        return folder


class JudgedModel(_Embeds):
    """An encoder with thresholds, a similarity and training keys.

    Args:
        labels: Its two classes, the dark one first.
        scale: Scale of the embeddings; 0: a collapsed encoder, NaN: a broken one.
        seen: Files that it was trained on; None: no training keys, as in older models.
    """

    def __init__(self, labels=LABELS, scale=1.0, seen=()):
        super().__init__(labels, scale)
        if seen is not None:
            keys = [key_of_file(file.read_bytes()) for file in seen]
            self.training_keys = tf.Variable(np.array(keys, "int64"))

    @tf.function(input_signature=[])
    def thresholds(self):
        return {"same": tf.constant(0.7), "known": tf.constant(0.5)}

    @tf.function(input_signature=[_ROWS, _ROWS])
    def similarity(self, left, right):
        return 1 - tf.abs(left[:, 0] - right[:, 0])


class Encoder(_Embeds):
    """As it is before training: it brings the labelled images' pixels."""

    def __init__(self, labels=LABELS, scale=1.0):
        super().__init__(labels, scale)
        pixels = np.array([25, 50, 200, 230], "uint8")[:, None, None, None]
        self.support.pixels = tf.Variable(np.broadcast_to(pixels, (4, 8, 8, 3)))

    @tf.function(input_signature=[_STRINGS])
    def embed(self, image):
        def pixels(data):
            return tf.ensure_shape(tf.io.decode_image(data), [8, 8, 3])

        decoded = tf.map_fn(pixels, image, fn_output_signature=tf.TensorSpec([8, 8, 3], tf.uint8))
        return {**super().embed(image), "pixels": decoded}


def write_images(folder, labels=LABELS, each=10, first=0.02, size=8):
    """`folder`/<label>/<number>.png, no two alike: the first label's are dark, others light."""
    for place, label in enumerate(labels):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            brightness = (0.75 if place else first) + 0.02 * number / max(1, each - 1) * 10
            pixels = np.full((size, size, 3), round(255 * brightness), "uint8")
            pixels[0, 0] = number  # else two could be one another's copies
            (folder / label / f"{number}.png").write_bytes(encoded(Image.fromarray(pixels)))
    return folder
