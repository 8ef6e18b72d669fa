"""Exports the trained network with its preprocessing as one SavedModel."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from components import features
from trainer.input import parse_pixels
from trainer.siamese import Siamese


class ServedModel(tf.Module):
    """What is served: encoded image bytes in, answers out; preprocessing is inside.

    Signatures, all on batches:
        serving_default: `left`, `right` string [n] to `similarity` float32 [n] in [0, 1].
        embed: `image` string [n] to `embedding` float32 [n, d].
        evaluate: `examples`, string [n] of serialized plain pairs, to `similarity` float32 [n].

    Args:
        model: The trained network.
        preprocess: Encoded images, string [n], to serialized pixels, string [n]: Transform's graph.
        image_size: Height and width in pixels.
        tracked: Whatever `preprocess` needs to be saved with it.
    """

    def __init__(
        self,
        model: Siamese,
        preprocess: Callable[[tf.Tensor], tf.Tensor],
        image_size: int,
        tracked: object = None,
    ) -> None:
        super().__init__(name="siamese")
        # Not the whole network: its optimizer's state would be saved too.
        self._encoder, self._head = model.encoder, model.head
        self._similarity = model.similarity
        self._preprocess = preprocess
        self._image_size = image_size
        self._tracked = tracked

    def save(self, directory: str) -> None:
        """Write the SavedModel into `directory`."""
        strings = tf.TensorSpec([None], tf.string)
        signatures = {
            "serving_default": self.compare.get_concrete_function(strings, strings),
            "embed": self.embed.get_concrete_function(strings),
            "evaluate": self.evaluate.get_concrete_function(strings),
        }
        tf.saved_model.save(self, directory, signatures=signatures)

    @tf.function
    def compare(self, left: tf.Tensor, right: tf.Tensor) -> dict[str, tf.Tensor]:
        """The `serving_default` signature."""
        # One encoder pass over both sides keeps the batch large.
        both = self._encode(self._preprocess(tf.concat([left, right], axis=0)))
        left_embedding, right_embedding = tf.split(both, 2)
        return {"similarity": self._similarity(left_embedding, right_embedding)}

    @tf.function
    def embed(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """The `embed` signature."""
        return {"embedding": self._encode(self._preprocess(image))}

    @tf.function
    def evaluate(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """The `evaluate` signature: plain pairs, whose pixels are transformed already."""
        pair = {features.PIXELS: tf.io.FixedLenFeature([2], tf.string)}
        pixels = tf.io.parse_example(examples, pair)[features.PIXELS]
        embeddings = tf.reshape(
            self._encode(tf.reshape(pixels, [-1])), [tf.shape(pixels)[0], 2, -1]
        )
        return {"similarity": self._similarity(embeddings[:, 0], embeddings[:, 1])}

    def _encode(self, serialized: tf.Tensor) -> tf.Tensor:
        pixels = tf.cast(parse_pixels(serialized, self._image_size), tf.float32)
        return self._encoder(pixels, training=False)
