"""The convolutional backbone: any image model of `keras.applications`, or a saved encoder."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from pathlib import Path

import keras

from trainer.errors import BackboneError, WeightsError


def build_backbone(
    name: str, weights: str, image_size: int, batch_norm_momentum: float | None = None
) -> keras.Model:
    """A backbone without its classification top, its input's normalization inside.

    Args:
        name: A constructor of `keras.applications` (`ResNet50`), or the path of a saved Keras
            model (`encoder.keras`) that takes RGB in [0, 255] and brings its own weights.
        weights: `imagenet`, `none` (random), or the path of a weights file for `name`.
        image_size: Height and width in pixels.
        batch_norm_momentum: Replaces that of all batch normalizations; None leaves Keras' own.

    Returns:
        Model from float32 [n, size, size, 3] (RGB, 0 to 255) to float32 [n, h, w, c], or to
        float32 [n, c] where a saved encoder pools by itself.

    Raises:
        BackboneError: No such backbone, or it cannot take images of this size.
        WeightsError: The weights cannot be had or belong to another architecture.
    """
    if name.endswith((".keras", ".h5")) or "/" in name:
        return _saved_encoder(name, image_size)
    constructor, preprocess = _application(name)
    pretrained = "imagenet" if weights == "imagenet" else None
    try:
        network = constructor(
            include_top=False, weights=pretrained, input_shape=(image_size, image_size, 3)
        )
    except ValueError as e:
        raise BackboneError(
            f"model.backbone {name!r} cannot take images of image.size {image_size}: "
            f"{_first_line(e)}"
        ) from e
    except Exception as e:  # the download raises whatever its network stack raises
        raise WeightsError(
            f"The ImageNet weights of {name} could not be downloaded ({_first_line(e)}). Connect "
            "to the internet once (Keras keeps them in ~/.keras/models), or set model.weights to "
            "'none' or to a weights file."
        ) from e
    if weights not in ("imagenet", "none"):
        _load_weights(network, name, weights)
    if batch_norm_momentum is not None:
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = batch_norm_momentum
    pixels = keras.Input((image_size, image_size, 3), name="pixels")
    return keras.Model(pixels, network(preprocess(pixels)), name="backbone")


def _application(name: str) -> tuple[Callable[..., keras.Model], Callable]:
    """The constructor and the input normalization of a `keras.applications` model."""
    constructors = {n: f for n, f in vars(keras.applications).items() if inspect.isfunction(f)}
    if name not in constructors:
        close = difflib.get_close_matches(name, constructors, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise BackboneError(
            f"model.backbone {name!r} is not in keras.applications{hint} "
            f"There are {', '.join(sorted(constructors))}."
        )
    for module in vars(keras.applications).values():
        if inspect.ismodule(module) and getattr(module, name, None) is constructors[name]:
            return constructors[name], module.preprocess_input
    raise BackboneError(f"model.backbone {name!r} has no input normalization in Keras")


def _saved_encoder(path: str, image_size: int) -> keras.Model:
    if not Path(path).is_file():
        raise BackboneError(f"model.backbone {path!r}: there is no such file")
    try:
        encoder = keras.models.load_model(path, compile=False)
    except Exception as e:  # Keras raises many kinds for a file it cannot read
        raise BackboneError(
            f"model.backbone {path!r} is not a saved Keras model: {_first_line(e)}"
        ) from e
    expected = tuple(encoder.input_shape[1:])
    if expected not in ((image_size, image_size, 3), (None, None, 3)):
        raise BackboneError(
            f"model.backbone {path!r} takes images of {expected[0]} x {expected[1]} pixels and "
            f"{expected[2]} channels; set image.size to {expected[0]}"
        )
    return encoder


def _load_weights(network: keras.Model, name: str, path: str) -> None:
    if not Path(path).is_file():
        raise WeightsError(
            f"model.weights {path!r}: there is no such file; give a file, 'imagenet', or 'none'"
        )
    try:
        network.load_weights(path)
    except Exception as e:  # Keras and h5py raise many kinds for a file that does not fit
        raise WeightsError(
            f"model.weights {path!r} does not fit {name} without its top: {_first_line(e)}"
        ) from e


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
