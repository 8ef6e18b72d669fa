"""The range of the values of images of more than eight bits: of the data set, not of an image.

It spans nearly all values of the training images, so that a few defective pixels do not count.
Images of eight bits have no part in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel

from base.errors import DataError
from base.printable import printable

_SHARES = 0.001, 0.999
"""Shares of the training values that are below the range's ends."""

_KEPT = 1024
"""Images whose values are kept, 4 KB each; of more, those with the smallest hashes."""


class ValueRange(BaseModel):
    """Values that become 0 and 255 in images of more than eight bits.

    Attributes:
        low: Becomes 0.
        high: Becomes 255.
        given: Whether it is `image.range` and not found in the images.
    """

    low: float
    high: float
    given: bool = False


class Summary(NamedTuple):
    """The images of more than eight bits.

    Attributes:
        images: Their number in the training split.
        float_image: The path of one, in any split, that 16 bits do not hold, the first by name;
            empty if none.
        kept: Hashes of paths and quantiles, float32 as bytes, of at most `_KEPT` images of the
            training split.
    """

    images: int = 0
    float_image: str = ""
    kept: tuple[tuple[str, bytes], ...] = ()


def summary(path: str, is_float: bool, quantiles: bytes) -> Summary:
    """Return the summary of one image; `quantiles` are those of `images.bit_depth.Depth`."""
    chosen_by = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
    return Summary(1, path if is_float else "", ((chosen_by, quantiles),))


def held_out(one: Summary) -> Summary:
    """Return the summary of an image outside the training split, whose values do not count."""
    return one._replace(images=0, kept=())


def merged(some: Collection[Summary]) -> Summary:
    """Return the summary of all images, in whatever order they come."""
    return Summary(
        sum(one.images for one in some),
        min((one.float_image for one in some if one.float_image), default=""),
        tuple(sorted(kept for one in some for kept in one.kept)[:_KEPT]),
    )


def value_range(
    deep: Summary, train_images: int, given: tuple[float, float] | None
) -> ValueRange | None:
    """Return the range of a data set; None if 16-bit images are mapped by all their values.

    Where most training images have eight bits, the few others are most likely pictures of the same
    kind, which use all 16 bits.

    Args:
        deep: Of all images.
        train_images: Number of all training images.
        given: `image.range`, if it has numbers.

    Raises:
        DataError: Most training images have eight bits, and others have values that 16 bits do not
            hold.
    """
    if given:
        return ValueRange(low=given[0], high=given[1], given=True)
    if 2 * deep.images <= train_images:
        if deep.float_image:
            raise DataError(
                f"{printable(deep.float_image)} has values below 0, above 65535 or with a "
                "fraction, while most training images have eight bits; set image.range to the "
                "values that become black and white"
            )
        return None
    values = np.concatenate([np.frombuffer(kept, np.float32) for _, kept in deep.kept])
    # As float32, which records hold.
    low, high = (float(np.float32(np.quantile(values, share))) for share in _SHARES)
    return ValueRange(low=low, high=high if high > low else low + 1)


def mixed_depths(deep: str, others: int, found: ValueRange | None) -> str:
    """Return the warning about images of both kinds.

    Args:
        deep: Number and names of the images of more than eight bits.
        others: Number of the images of eight bits.
        found: The range.
    """
    if found is None:
        how = "0 to 65535 become 0 to 255 in the former"
    else:
        how = f"{found.low:g} to {found.high:g} become 0 to 255 in the former"
    return (
        f"{deep} have more than eight bits, {others} others have eight: {how}; if the same thing "
        "does not look alike in both, set image.range"
    )
