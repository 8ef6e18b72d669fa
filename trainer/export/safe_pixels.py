"""Preprocesses a batch of images of which any may be hostile, in the served graph.

TensorFlow's decoders raise for the whole batch, and with a server that joins requests to batches
for other clients' images too.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from images.header import encoded_pixels

_AT_ONCE = 8
"""Images that are decoded at a time; each takes up to three bytes a pixel."""


def safe_pixels(
    images: tf.Tensor,
    preprocess: Callable[[tf.Tensor], tf.Tensor],
    image_size: int,
    max_pixels: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Pixels of the images that can be had, and which these are.

    An image is invalid where its header says more than `max_pixels` (nothing is decoded then), or
    where decoding fails: empty, cut off, damaged, no JPEG, PNG, BMP or GIF. It costs the others
    nothing; their pixels are what `preprocess` makes of them alone.

    Args:
        images: Encoded images, string [n].
        preprocess: Encoded images, string [m], to serialized pixels, string [m].
        image_size: Height and width of the pixels.
        max_pixels: Height times width of the largest image that is decoded.

    Returns:
        uint8 [n, size, size, 3], black where an image is invalid, and bool [n].
    """
    shape = (image_size, image_size, 3)

    def small_enough(place: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
        pixels = encoded_pixels(image)
        return (pixels > 0) & (pixels <= max_pixels)

    def decoded(place: tf.Tensor, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.io.parse_tensor(preprocess(image[None])[0], tf.uint8)
        return place, tf.ensure_shape(pixels, shape)

    # Decoding is the CPU's; so the GPU, if any, is left to the network.
    with tf.device("/CPU:0"):
        count = tf.size(images)
        survivors = (
            tf.data.Dataset.from_tensor_slices((tf.range(count), images))
            .filter(small_enough)
            .map(decoded, num_parallel_calls=_AT_ONCE)
            .ignore_errors()
        )
        # There must be one; it goes to a row behind the last, which is cut off.
        nobody = tf.data.Dataset.from_tensors((count, tf.zeros(shape, tf.uint8)))
        everything = survivors.concatenate(nobody).batch(tf.cast(count, tf.int64) + 1)
        places, pixels = everything.get_single_element()
        rows = tf.scatter_nd(places[:, None], pixels, [count + 1, *shape])
        valid = tf.scatter_nd(places[:, None], tf.ones_like(places, tf.bool), [count + 1])
        return rows[:count], valid[:count]
