"""Preprocesses a batch of untrusted images in the served graph.

TensorFlow's decoders raise for the whole batch, which may hold other clients' images where a server
batches requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from images.in_graph.header import Header, Refusal, needs_more, read_headers, upright
from trainer.settings import Size, pixel_shape

_AT_ONCE = 8
"""Images decoded concurrently; each takes up to 24 bytes per pixel."""


class SafePixels(NamedTuple):
    """The pixels of a batch.

    Attributes:
        pixels: uint8 [n, height, width, 3], black for invalid images.
        valid: Which images are valid, bool [n].
        reason: Why an image is not valid, string [n]: one of `images.in_graph.header.Refusal`;
            empty for valid ones.
    """

    pixels: tf.Tensor
    valid: tf.Tensor
    reason: tf.Tensor


def safe_pixels(
    images: tf.Tensor,
    preprocess: Callable[[tf.Tensor], tf.Tensor],
    image_size: Size,
    max_pixels: int,
) -> SafePixels:
    """Return the pixels of the valid images, and why the others are not valid.

    An image is turned by EXIF and put on white first. It is invalid if its header says that it has
    more than `max_pixels` or means other pixels than the graph can decode (it is not decoded then),
    or if decoding fails: truncated, damaged, or smaller than `image.region`. The other images of
    the batch are not affected.

    Args:
        images: Encoded images, string [n].
        preprocess: Encoded images, string [m], to serialized pixels, string [m].
        image_size: Height and width of the pixels.
        max_pixels: Height times width of the largest image that is decoded.
    """
    shape = pixel_shape(image_size)

    @tf.autograph.experimental.do_not_convert
    def decoded(
        place: tf.Tensor, image: tf.Tensor, *header: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        found = Header(*header)
        image, refusal = tf.cond(
            needs_more(found), lambda: upright(image, found), lambda: (image, found.refusal)
        )
        # Of a refused image, nothing is decoded.
        serialized = tf.cond(
            refusal == int(Refusal.NONE), lambda: preprocess(image[None])[0], lambda: black
        )
        pixels = tf.io.parse_tensor(serialized, tf.uint8)
        return place, refusal, tf.ensure_shape(pixels, shape)

    # The CPU decodes; a GPU, if any, is left to the network.
    with tf.device("/CPU:0"):
        black = tf.io.serialize_tensor(tf.zeros(shape, tf.uint8))
        headers = Header(*read_headers(images, tf.constant(max_pixels, tf.int64)))
        kept = tf.where(headers.refusal == int(Refusal.NONE))[:, 0]
        good = [tf.gather(each, kept) for each in (tf.range(tf.size(images)), images, *headers)]
        count = tf.size(images)
        decodable = (
            tf.data.Dataset.from_tensor_slices(tuple(good))
            .map(decoded, num_parallel_calls=_AT_ONCE)
            .ignore_errors()
        )
        # The batch must not be empty: one more goes to a row after the last, which is cut off.
        extra = tf.data.Dataset.from_tensors((count, 0, tf.zeros(shape, tf.uint8)))
        everything = decodable.concatenate(extra).batch(tf.cast(count, tf.int64) + 1)
        places, refusals, pixels = everything.get_single_element()
        rows = tf.scatter_nd(places[:, None], pixels, [count + 1, *shape])[:count]
        # Zero, where nothing is put, is CANNOT_BE_DECODED.
        tried = tf.scatter_nd(places[:, None], refusals, [count + 1])[:count]
        refusals = tf.where(headers.refusal == int(Refusal.NONE), tried, headers.refusal)
        reason = tf.gather(tf.constant([each.text for each in Refusal]), refusals)
        return SafePixels(rows, refusals == int(Refusal.NONE), reason)
