"""How many images are kept in memory. Imports neither TFX nor Keras."""

from __future__ import annotations

import math

from trainer.settings import Tiles

MOST_SUPPORT_IMAGES = 1000
"""About how many training images form the support set; they are kept in memory."""

MOST_PIXEL_BYTES = 2**31
"""Size of the images that a head is fitted to, which are kept in memory."""


def most_images(image_size: int, tiles: Tiles) -> int:
    """Return to how many images a head is fitted at most.

    Args:
        image_size: Height and width in pixels, of a tile if there are several.
        tiles: Of each image.
    """
    return max(MOST_SUPPORT_IMAGES, MOST_PIXEL_BYTES // (3 * math.prod(tiles.size(image_size))))
