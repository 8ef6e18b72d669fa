"""Transform's preprocessing of an image: decode, resize, cast. The served model has the same graph.

Normalization for a backbone is part of the model, so that pixels stay uint8 on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from records import features

_RESIZE = {
    "cubic": tf.image.ResizeMethod.BICUBIC,
    "linear": tf.image.ResizeMethod.BILINEAR,
    "area": tf.image.ResizeMethod.AREA,
    "nearest": tf.image.ResizeMethod.NEAREST_NEIGHBOR,
}


def preprocessing_fn(
    inputs: Mapping[str, tf.Tensor], custom_config: Mapping[str, Any]
) -> dict[str, tf.Tensor]:
    """Preprocess a batch of image records, as Transform's entry point.

    Args:
        inputs: An image record's features (`features.IMAGE_RECORD`), [n, 1] each.
        custom_config: `size` in pixels and `interpolation`, as in the `image` section of the
            configuration.

    Returns:
        A transformed record's features (`features.TRANSFORMED_RECORD`), [n, 1] each.
    """
    size, interpolation = int(custom_config["size"]), custom_config["interpolation"]
    # Decoding runs on the CPU; this leaves any GPU to the network.
    with tf.device("/CPU:0"):
        pixels = tf.map_fn(
            lambda image: tf.io.serialize_tensor(decode_and_resize(image, size, interpolation)),
            tf.reshape(inputs[features.IMAGE], [-1]),
            fn_output_signature=tf.string,
        )
    kept = [name for name in features.TRANSFORMED_RECORD if name != features.PIXELS]
    return {features.PIXELS: pixels[:, None], **{name: inputs[name] for name in kept}}


def decode_and_resize(image: tf.Tensor, size: int, interpolation: str) -> tf.Tensor:
    """Decode an image, string [], and resize it to RGB uint8 [size, size, 3].

    The whole image is kept: one that is not square is stretched, as in the 2019 article.

    Raises:
        tf.errors.InvalidArgumentError: The bytes are not a JPEG, PNG, BMP or GIF.
    """
    pixels = tf.io.decode_image(image, channels=3, expand_animations=False)
    pixels.set_shape([None, None, 3])
    # Without antialiasing, fine texture turns into noise when a photograph is shrunk.
    resized = tf.image.resize(pixels, [size, size], _RESIZE[interpolation], antialias=True)
    return tf.saturate_cast(tf.round(tf.cast(resized, tf.float32)), tf.uint8)
