"""KerasHub's encoders that were trained without labels: which there are, and what they need.

Imports neither TFX nor Keras; `trainer.network.self_supervised` builds them.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from typing import NamedTuple

from trainer.errors import BackboneError

EXAMPLE = "dinov2_small"
"""A preset's name."""


class Family(NamedTuple):
    """Networks of one kind.

    Attributes:
        name: As KerasHub's classes begin.
        patch: Height and width in pixels of the patches that images are cut into.
    """

    name: str
    patch: int


_FAMILIES = {"dinov2": Family("DINOV2", 14), "dinov3": Family("DINOV3", 16)}

_PRESET = re.compile(rf"({'|'.join(_FAMILIES)})_\w+")


def family_of(backbone: str) -> Family | None:
    """Return the family of a backbone by its name; None if it is not one of KerasHub's."""
    found = _PRESET.fullmatch(backbone)
    return _FAMILIES[found[1]] if found else None


def check_image_size(backbone: str, image_size: int) -> None:
    """Refuse images that cannot be cut into patches without a rest.

    Args:
        backbone: Its name.
        image_size: Height and width in pixels, of a tile if there are several.

    Raises:
        BackboneError: The message says which sizes fit.
    """
    family = family_of(backbone)
    if family is None or image_size % family.patch == 0:
        return
    smaller = image_size // family.patch * family.patch
    sizes = [str(size) for size in (smaller, smaller + family.patch) if size]
    raise BackboneError(
        f"model.backbone {backbone!r} cuts images into patches of {family.patch} pixels, and "
        f"image.size {image_size} is not a multiple of that; set it to {' or '.join(sizes)}"
    )


def check_installed(backbone: str) -> None:
    """Refuse a backbone of KerasHub where that is not installed.

    Raises:
        BackboneError: The message says how to install it.
    """
    if family_of(backbone) is None or importlib.util.find_spec("keras_hub"):
        return
    if sys.version_info < (3, 11):
        raise BackboneError(
            f"model.backbone {backbone!r} is of KerasHub, which needs Python 3.11 or newer, and "
            "this is Python 3.10; set up the newer stack (README, Supported platforms), or name "
            "another backbone"
        )
    raise BackboneError(
        f"model.backbone {backbone!r} is of KerasHub, which is not installed: "
        "pip install 'siamese-tfx[keras-hub]', or in a checkout make setup"
    )
