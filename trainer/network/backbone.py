"""The backbone: of `keras.applications` or KerasHub, Conv-4, or a saved encoder."""

from __future__ import annotations

import difflib
import inspect
import math
import sys
from collections.abc import Callable, Iterator

import keras
from keras import ops

from storage.local_copies import local_copy
from trainer.errors import BackboneError, WeightsError, first_line
from trainer.kerashub import EXAMPLE, family_of
from trainer.network.conv4 import MINIMUM_SIZE, build_conv4
from trainer.network.self_supervised import POSITIONS, build_self_supervised
from trainer.settings import ONE_TILE, Model, Tiles


def build_backbone(settings: Model, image_size: int, tiles: Tiles = ONE_TILE) -> keras.Model:
    """Return a backbone without its classification top, with its input normalization inside.

    Args:
        settings: The `model` section of the configuration. A `backbone` that is a file is code,
            even with Keras' safe mode on: load only files that you trust.
        image_size: Height and width in pixels, of a tile if there are several.
        tiles: Of the image.

    Returns:
        Model from float32 [n, rows * size, columns * size, 3] (RGB, 0 to 255) to float32
        [n, h, w, c], or to float32 [n, c] if the maximum of several tiles counts, a saved encoder
        pools by itself or returns tokens, or it is a vision transformer of KerasHub. One whose
        last layer averages is cut before it, so that the places of its map are known
        (`trainer.network.encoder_parts`).

    Raises:
        BackboneError: There is no such backbone, or it does not accept images of this size.
        WeightsError: The weights are not available or belong to another architecture.
    """
    settings = settings.for_size(image_size)
    name, weights = settings.backbone, settings.weights
    if settings.saved_encoder:
        network = _saved_encoder(name, image_size)
        normalize = _as_it_takes_them(settings, network.input_shape[-1])
        if settings.pooling == "avg":
            network = _before_averaging(network)
    elif name == CONV4:
        network, normalize = _conv4(weights, image_size), _minus_one_to_one
    elif family := family_of(name):
        network = build_self_supervised(name, family, weights, image_size)
        normalize = _unchanged
    else:
        constructor, normalize = _application(name)
        network = _without_top(constructor, name, weights, image_size)
    if weights not in ("imagenet", "none") and not settings.saved_encoder:
        _load_weights(network, name, weights)
    if not settings.pretrained:
        for layer in _batch_norms(network):
            layer.momentum = settings.article.batch_norm_momentum
    pixels = keras.Input((*tiles.size(image_size), 3), name="pixels")
    whole = tiles.rows * tiles.columns == 1
    features = network(normalize(pixels if whole else _cut(pixels, image_size, tiles)))
    if len(features.shape) == 3:
        features = pool(features, settings)
    if not whole:
        if settings.pooling == "avg" and tiles.pooling == "mean" and len(features.shape) == 4:
            features = _stitch(features, tiles)
        else:
            features = _join(pool(features, settings), tiles)
    backbone = keras.Model(pixels, features, name="backbone")
    set_trainable(backbone, 1, settings)
    return backbone


def pool(features, settings: Model, view: int | None = None):
    """Return the vectors [n, d] of feature maps [n, h, w, c] or tokens [n, t, d].

    Vectors are returned as they are.

    Args:
        features: Of images.
        settings: The `model` section.
        view: Its number names the layer; None: any name.
    """
    if len(features.shape) not in _POOLING:
        return features
    name = None if view is None else pool_name(view)
    return _POOLING[len(features.shape)][settings.pooling](name=name)(features)


def pool_name(view: int) -> str:
    """Return the name of the layer that pools a view's feature map."""
    return f"pool_{view}"


_POOLING = {
    3: {
        "avg": keras.layers.GlobalAveragePooling1D,
        "max": keras.layers.GlobalMaxPooling1D,
        "flatten": keras.layers.Flatten,
    },
    4: {
        "avg": keras.layers.GlobalAveragePooling2D,
        "max": keras.layers.GlobalMaxPooling2D,
        "flatten": keras.layers.Flatten,
    },
}
"""Layers by the number of dimensions: of tokens and of feature maps."""


def _cut(pixels, size: int, tiles: Tiles):
    """Return the tiles [n * rows * columns, size, size, 3] of pixels, row by row."""
    rows, columns = tiles.rows, tiles.columns
    grid = ops.reshape(pixels, (-1, rows, size, columns, size, 3))
    return ops.reshape(ops.transpose(grid, (0, 1, 3, 2, 4, 5)), (-1, size, size, 3))


def _stitch(features, tiles: Tiles):
    """Return the maps [n, rows * h, columns * w, c] of images from those of their tiles."""
    height, width, channels = features.shape[1:]
    rows, columns = tiles.rows, tiles.columns
    grid = ops.reshape(features, (-1, rows, columns, height, width, channels))
    grid = ops.transpose(grid, (0, 1, 3, 2, 4, 5))
    return ops.reshape(grid, (-1, rows * height, columns * width, channels))


def _join(features, tiles: Tiles):
    """Return the features [n, d] of images from those of their tiles, [n * rows * columns, d]."""
    of_images = ops.reshape(features, (-1, tiles.rows * tiles.columns, features.shape[-1]))
    return (ops.max if tiles.pooling == "max" else ops.mean)(of_images, axis=1)


LAST_BLOCKS = 1 / 3
"""Share of a backbone's layers that counts as its last blocks."""


def set_trainable(backbone: keras.Model, share: float, settings: Model) -> None:
    """Unfreeze a backbone's last layers and freeze the others.

    A frozen batch normalization also normalizes by its stored statistics.

    Args:
        backbone: The network.
        share: Of the layers that have weights, from the last one on: 1 for all, 0 for none.
        settings: The `model` section; its `batch_norm` may keep batch normalization frozen.
    """
    backbone.trainable = share > 0
    layers = [layer for layer in _layers(backbone) if layer.weights]
    frozen = len(layers) - math.ceil(share * len(layers))
    for place, layer in enumerate(layers):  # each: Keras sets only those of a changed network
        layer.trainable = place >= frozen
    if settings.freezes_batch_norm:
        for layer in _batch_norms(backbone):
            layer.trainable = False
    for layer in layers:
        if hasattr(layer, POSITIONS):
            getattr(layer, POSITIONS).trainable = False


CONV4 = "Conv4"


def _layers(network: keras.Model) -> Iterator[keras.Layer]:
    """The layers of a network, in order, and in place of a network or a stack of blocks its own."""
    for layer in network.layers:
        if hasattr(layer, "layers"):
            yield from _layers(layer)
        else:
            yield layer


def _batch_norms(network: keras.Model) -> Iterator[keras.Layer]:
    return (one for one in _layers(network) if isinstance(one, keras.layers.BatchNormalization))


def _unchanged(pixels):
    return pixels


def _as_it_takes_them(settings: Model, channels: int) -> Callable:
    """Return what makes pixels of 0 to 255 into those that a saved encoder takes."""
    low, high = settings.value_range

    def normalize(pixels):
        if channels == 1:
            pixels = ops.image.rgb_to_grayscale(pixels, data_format="channels_last")
        if (low, high) == (0, 255):
            return pixels
        return keras.layers.Rescaling((high - low) / 255, offset=low)(pixels)

    return normalize


def _minus_one_to_one(pixels):
    return keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels)


def _conv4(weights: str, image_size: int) -> keras.Model:
    if weights == "imagenet":
        raise WeightsError(f"There are no ImageNet weights of {CONV4}; set model.weights to 'none'")
    if image_size < MINIMUM_SIZE:
        raise BackboneError(
            f"model.backbone {CONV4!r} does not accept images of image.size {image_size}: "
            f"set it to at least {MINIMUM_SIZE}"
        )
    return build_conv4(image_size)


def _without_top(
    constructor: Callable[..., keras.Model], name: str, weights: str, image_size: int
) -> keras.Model:
    pretrained = "imagenet" if weights == "imagenet" else None
    try:
        return constructor(
            include_top=False, weights=pretrained, input_shape=(image_size, image_size, 3)
        )
    except ValueError as e:
        raise BackboneError(
            f"model.backbone {name!r} does not accept images of image.size {image_size}: "
            f"{first_line(e)}"
        ) from e
    except Exception as e:  # the download raises whatever its network stack raises
        raise WeightsError(
            f"The ImageNet weights of {name} could not be downloaded ({first_line(e)}). Connect "
            "to the internet once (Keras keeps them in ~/.keras/models), or set model.weights to "
            "'none' or to a weights file."
        ) from e


def _application(name: str) -> tuple[Callable[..., keras.Model], Callable]:
    """Return the constructor and the input normalization of a `keras.applications` model."""
    constructors = {n: f for n, f in vars(keras.applications).items() if inspect.isfunction(f)}
    if name not in constructors:
        close = difflib.get_close_matches(name, [CONV4, EXAMPLE, *constructors], n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise BackboneError(
            f"model.backbone {name!r} is not in keras.applications{hint} "
            f"There are {CONV4}, {', '.join(sorted(constructors))}, and {EXAMPLE} and others of "
            "KerasHub."
        )
    # Not of `keras.applications`' own modules: that of MobileNetV3 does not name its constructors.
    module = sys.modules[inspect.unwrap(constructors[name]).__module__]
    return constructors[name], module.preprocess_input


def _saved_encoder(path: str, image_size: int) -> keras.Model:
    try:
        with local_copy(path) as file:
            # A trusted file: safe mode refuses lambda layers, not every way to run code.
            encoder = keras.models.load_model(file, compile=False, safe_mode=True)
    except FileNotFoundError as e:
        raise BackboneError(f"model.backbone {path!r}: there is no such file") from e
    except Exception as e:  # Keras raises many types for a file that it cannot read
        raise BackboneError(
            f"model.backbone {path!r} is not a Keras model that can be loaded: {first_line(e)}"
        ) from e
    if len(encoder.inputs) != 1 or len(encoder.inputs[0].shape) != 4:
        shapes = [tuple(one.shape) for one in encoder.inputs]
        raise BackboneError(
            f"model.backbone {path!r} takes inputs of shapes {shapes}, and needs one of images "
            "[n, height, width, channels]"
        )
    if len(encoder.outputs) != 1 or len(encoder.outputs[0].shape) not in (2, 3, 4):
        shapes = [tuple(one.shape) for one in encoder.outputs]
        raise BackboneError(
            f"model.backbone {path!r} returns {shapes}, and needs one output: feature maps "
            "[n, height, width, channels], tokens [n, tokens, size] or vectors [n, size]"
        )
    height, width, channels = encoder.inputs[0].shape[1:]
    if channels not in (1, 3):
        raise BackboneError(
            f"model.backbone {path!r} takes {channels} channels in the last place; images have 3, "
            "or 1 in grey"
        )
    if (height, width) not in ((image_size, image_size), (None, None)):
        square = height == width
        fix = f"set image.size to {height}" if square else "images here are square"
        raise BackboneError(
            f"model.backbone {path!r} takes images of {height} x {width} pixels; {fix}"
        )
    return encoder


def _before_averaging(encoder: keras.Model) -> keras.Model:
    """Return an encoder without a last layer that averages its feature map."""
    last = encoder.layers[-1] if encoder.layers else None
    if not isinstance(last, keras.layers.GlobalAveragePooling2D) or last.keepdims:
        return encoder
    if last.data_format != "channels_last" or encoder.outputs[0] is not last.output:
        return encoder
    return keras.Model(encoder.inputs, last.input, name=encoder.name)


def _load_weights(network: keras.Model, name: str, path: str) -> None:
    try:
        with local_copy(path) as file:
            network.load_weights(file)
    except FileNotFoundError as e:
        raise WeightsError(
            f"model.weights {path!r}: there is no such file; give a file, 'imagenet', or 'none'"
        ) from e
    except Exception as e:  # Keras and h5py raise many types for a file that does not fit
        raise WeightsError(
            f"model.weights {path!r} does not fit {name} without its top: {first_line(e)}"
        ) from e
