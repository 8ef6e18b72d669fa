"""Transform's preprocessing of image records. The served model has the same graph.

Normalization for a backbone is part of the model, so that pixels stay uint8 on disk.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.transform.pixels import Fitting, to_pixels
from images.canonical import Region
from records import features


def preprocessing_fn(
    inputs: Mapping[str, tf.Tensor], custom_config: Mapping[str, Any]
) -> dict[str, tf.Tensor]:
    """Preprocess a batch of image records, as Transform's entry point.

    Args:
        inputs: An image record's features (`features.IMAGE_RECORD`), [n, 1] each.
        custom_config: The `image` section of the configuration.

    Returns:
        A transformed record's features (`features.TRANSFORMED_RECORD`), [n, 1] each.
    """
    fitting = fitting_of(custom_config)
    # All records have the same range; analyzers make it a constant of the graph, which serving,
    # where a query has none, keeps.
    low, high = tft.min(inputs[features.RANGE_LOW]), tft.max(inputs[features.RANGE_HIGH])
    pixels = _serialized_pixels(fitting)(tf.reshape(inputs[features.IMAGE], [-1]), low, high)
    kept = [name for name in features.TRANSFORMED_RECORD if name != features.PIXELS]
    return {features.PIXELS: pixels[:, None], **{name: inputs[name] for name in kept}}


@functools.lru_cache
def _serialized_pixels(fitting: Fitting) -> Callable[..., tf.Tensor]:
    """Return a graph function: `to_pixels` of encoded images, string [n], serialized.

    Transform traces its preprocessing function ten times, which took a third of its CPU time with
    few images; this part of it is traced once. It needs no state, or Transform's analysis would
    decode the images too.
    """

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string),
            *[tf.TensorSpec([], tf.float32)] * 2,
        ],
        autograph=False,
    )
    def serialized(images: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
        # Decoding runs on the CPU; this leaves any GPU to the network.
        with tf.device("/CPU:0"):
            return tf.map_fn(
                lambda image: tf.io.serialize_tensor(to_pixels(image, fitting, low, high)),
                images,
                fn_output_signature=tf.string,
            )

    return serialized


def fitting_of(image: Mapping[str, Any]) -> Fitting:
    """Return how images are brought to the network's size, from the `image` section."""
    region = image.get("region")
    rows, columns = (int(number) for number in (image.get("tiles") or "1x1").split("x"))
    return Fitting(
        rows * int(image["size"]),
        columns * int(image["size"]),
        image["interpolation"],
        image.get("resize", "stretch"),
        Region(**region) if region else None,
    )
