"""A stand-in for the exported model: an image's class is its mean brightness."""

import tensorflow as tf

STRINGS = tf.TensorSpec([None], tf.string)


class StandIn(tf.Module):
    """An exported model's signatures; classes `dark` and `light`, known far from the middle."""

    def __init__(self, offset=0.0):
        super().__init__()
        self.offset = tf.Variable(offset)

    def _brightness(self, images):
        def one(image):
            return tf.reduce_mean(tf.cast(tf.io.decode_image(image), tf.float32)) / 255

        return tf.map_fn(one, images, fn_output_signature=tf.float32) + self.offset

    @tf.function(input_signature=[STRINGS, STRINGS])
    def compare(self, left, right):
        similarity = 1 - tf.abs(self._brightness(left) - self._brightness(right))
        return {
            "similarity": similarity,
            "same": similarity >= 0.7,
            "valid": tf.ones_like(similarity, tf.bool),
        }

    @tf.function(input_signature=[STRINGS])
    def embed(self, image):
        brightness = self._brightness(image)
        return {
            "embedding": tf.stack([brightness, 1 - brightness], 1),
            "valid": tf.ones_like(brightness, tf.bool),
        }

    @tf.function(input_signature=[STRINGS])
    def classify(self, image):
        brightness = self._brightness(image)
        scores = tf.stack([1 - brightness, brightness], 1)
        order = tf.argsort(-scores, axis=1)
        classes = tf.gather(["dark", "light"], order)
        return {
            "classes": classes,
            "scores": tf.gather(scores, order, batch_dims=1),
            "label": classes[:, 0],
            "known": tf.abs(brightness - 0.5) > 0.2,
            "nearest": tf.gather(["dark/1.png", "light/1.png"], order),
            # As a model refuses what is larger than it was trained for.
            "valid": brightness < 0.99,
        }

    def save(self, folder):
        signatures = {"serving_default": self.compare, "embed": self.embed}
        tf.saved_model.save(self, str(folder), {**signatures, "classify": self.classify})
