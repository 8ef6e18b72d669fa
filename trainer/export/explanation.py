"""The signature `explain`: which places of an image speak for its class, or for another image."""

from __future__ import annotations

import tensorflow as tf

from trainer.export.place_values import Encoded, PlaceValues
from trainer.export.support_set import SupportSet

NO_SUCH_CLASS = "no_such_class"
"""The `reason` where a request names a class that the support set lacks."""


def explain(
    place_values: PlaceValues,
    support: SupportSet,
    images: Encoded,
    others: Encoded,
    paired: tf.Tensor,
    label: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """Return the outputs of the signature that are made of embeddings.

    Args:
        place_values: Of the encoder.
        support: The support set.
        images: Of n images.
        others: Of the m images that some of these are compared with, in their order.
        paired: bool [n], which these are.
        label: string [n], the class to explain for the others; empty: the best one.
    """
    count = tf.size(paired)
    places = tf.where(paired)
    # The other image, where there is one; zero elsewhere.
    of_others = tf.scatter_nd(
        places, others.embedding, tf.cast(tf.shape(images.embedding), "int64")
    )
    toward = support.toward(images.embedding, label)
    direction = tf.where(paired[:, None], of_others, toward.direction)
    offset = tf.where(paired, 0.0, toward.offset)
    maps = place_values(images, direction) + offset[:, None, None]
    back = place_values(others, tf.boolean_mask(images.embedding, paired))
    nothing = tf.fill([count, *tf.unstack(tf.shape(maps)[1:])], float("nan"))
    return {
        "map": maps,
        "other_map": tf.tensor_scatter_nd_update(nothing, places, back),
        "score": tf.reduce_sum(images.embedding * direction, axis=1) + offset,
        "label": tf.where(paired, "", toward.label),
    }


def encoded_as_png(pixels: tf.Tensor) -> tf.Tensor:
    """Return pixels uint8 [n, height, width, 3] as PNG, string [n]."""
    with tf.device("/CPU:0"):
        return tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.string)
