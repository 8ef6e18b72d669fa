"""Vision transformers that were trained without labels, of KerasHub: DINOv2 and DINOv3.

Oquab et al. 2023, https://arxiv.org/abs/2304.07193; Simeoni et al. 2025,
https://arxiv.org/abs/2508.10104.
"""

from __future__ import annotations

import difflib
import importlib

import keras

from trainer.errors import BackboneError, WeightsError, first_line
from trainer.kerashub import Family, check_image_size, check_installed

POSITIONS = "interpolated_position_embeddings"
"""Attribute of DINOv2's first layer: the positions' weights at the size of the images.

They stay as they were pretrained: KerasHub saves them at the pretraining's size alone, so that what
they had learned would be lost in part or as a whole.
"""


def build_self_supervised(name: str, family: Family, weights: str, image_size: int) -> keras.Model:
    """Return a network of KerasHub with its input normalization inside.

    Args:
        name: Of the preset.
        family: Of the network.
        weights: `imagenet` for the preset's own, or `none`.
        image_size: Height and width in pixels.

    Returns:
        Model from float32 [n, size, size, 3] (RGB, 0 to 255) to the class token, float32 [n, d],
        which DINO's loss trains and its nearest-neighbour accuracy is measured on.

    Raises:
        BackboneError: KerasHub is not installed or has no such preset, or images of this size do
            not fit.
        WeightsError: The preset cannot be loaded, or `weights` is a file.
    """
    check_image_size(name, image_size)
    check_installed(name)
    if weights not in ("imagenet", "none"):
        raise WeightsError(
            f"model.weights {weights!r}: {name} has weights of its own; set model.weights to "
            "'imagenet' for these or to 'none', or model.backbone to a saved encoder"
        )
    hub = importlib.import_module("keras_hub")
    network = getattr(hub.models, f"{family.name}Backbone")
    _check_name(name, network.presets)
    try:
        tokens = network.from_preset(
            name, load_weights=weights == "imagenet", image_shape=(image_size, image_size, 3)
        )
        # The presets differ: DINOv3's for satellite images has a normalization of its own.
        converter = getattr(hub.layers, f"{family.name}ImageConverter").from_preset(name)
    except Exception as e:  # the download raises whatever its network stack raises
        raise WeightsError(
            f"KerasHub could not load {name} ({first_line(e)}). It downloads it from Kaggle once, "
            "into ~/.cache/kagglehub: connect to the internet, log in at Kaggle if the model asks "
            "for it, and delete its folder there if the download was cut off. Or set "
            "model.backbone to the encoder.keras of a run elsewhere."
        ) from e
    pixels = keras.Input((image_size, image_size, 3), name="pixels")
    normalized = keras.layers.Rescaling(converter.scale, converter.offset)(pixels)
    # As a layer: KerasHub can read the whole network from a file, not its parts alone.
    features = tokens(dict.fromkeys(tokens.input, normalized))
    return keras.Model(pixels, features[:, 0], name=name)


def _check_name(name: str, presets: dict) -> None:
    if name not in presets:
        [close] = difflib.get_close_matches(name, presets, n=1, cutoff=0)
        raise BackboneError(
            f"model.backbone {name!r} is not in KerasHub; did you mean {close!r}? There are "
            f"{', '.join(sorted(presets))}."
        )
