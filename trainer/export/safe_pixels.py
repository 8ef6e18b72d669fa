"""Preprocesses a batch of untrusted images in the served graph.

TensorFlow's decoders raise for the whole batch, which may hold other clients' images where a server
batches requests.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from images.header import encoded_pixels
from trainer.settings import Size, pixel_shape

_AT_ONCE = 8
"""Images decoded concurrently; each takes up to 16 bytes per pixel."""


def safe_pixels(
    images: tf.Tensor,
    preprocess: Callable[[tf.Tensor], tf.Tensor],
    image_size: Size,
    max_pixels: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the pixels of the valid images, and which these are.

    An image is invalid if its header says more than `max_pixels` (it is not decoded then), or if
    decoding fails: empty, truncated, damaged, or not JPEG, PNG, BMP or GIF, or smaller than
    `image.region`. The other images of the
    batch are not affected.

    Args:
        images: Encoded images, string [n].
        preprocess: Encoded images, string [m], to serialized pixels, string [m].
        image_size: Height and width of the pixels.
        max_pixels: Height times width of the largest image that is decoded.

    Returns:
        uint8 [n, height, width, 3], black for invalid images, and bool [n].
    """
    shape = pixel_shape(image_size)

    def small_enough(place: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
        pixels = encoded_pixels(image)
        return (pixels > 0) & (pixels <= max_pixels)

    def decoded(place: tf.Tensor, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.io.parse_tensor(preprocess(image[None])[0], tf.uint8)
        return place, tf.ensure_shape(pixels, shape)

    # The CPU decodes; a GPU, if any, is left to the network.
    with tf.device("/CPU:0"):
        count = tf.size(images)
        decodable = (
            tf.data.Dataset.from_tensor_slices((tf.range(count), images))
            .filter(small_enough)
            .map(decoded, num_parallel_calls=_AT_ONCE)
            .ignore_errors()
        )
        # The batch must not be empty: one more goes to a row after the last, which is cut off.
        extra = tf.data.Dataset.from_tensors((count, tf.zeros(shape, tf.uint8)))
        everything = decodable.concatenate(extra).batch(tf.cast(count, tf.int64) + 1)
        places, pixels = everything.get_single_element()
        rows = tf.scatter_nd(places[:, None], pixels, [count + 1, *shape])
        valid = tf.scatter_nd(places[:, None], tf.ones_like(places, tf.bool), [count + 1])
        return rows[:count], valid[:count]
