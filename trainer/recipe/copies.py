"""Finds unlabelled images that are copies of labelled ones, as the ingestion finds copies."""

from __future__ import annotations

import cv2
import numpy as np

from images.canonical import GREY_SIZE
from images.copy_candidates import Described, Statistics, candidates, descriptor
from images.copy_verification import Thumbnail, are_copies
from trainer.recipe.unlabelled_images import UnlabelledImages
from trainer.training.images import Images

_LABELLED, _UNLABELLED = "labelled", "unlabelled"


def copies_of_labelled(
    images: Images, groups: np.ndarray, unlabelled: UnlabelledImages
) -> np.ndarray:
    """Return the group of a labelled image that each unlabelled one is a copy of: int [u]; or -1.

    Images are compared as the network sees them.

    Args:
        images: n labelled images.
        groups: int [n], theirs.
        unlabelled: u images.
    """
    of_content = dict(zip(images.content_hashes, groups.tolist(), strict=True))
    found = np.array([of_content.get(one, -1) for one in unlabelled.content_hashes], int)
    pixels = {_LABELLED: images.pixels, _UNLABELLED: unlabelled.pixels}
    statistics, described = Statistics(), []
    for kind, every in pixels.items():
        for i, one in enumerate(every):
            name = f"{i:08d}"
            described.append(Described(name, kind, descriptor(_grey(one))))
            statistics.add(name, described[-1].descriptor)
    for some in candidates(described, statistics.whitening()):
        name, kind = some.image
        for other, other_kind, mirrored in some.others:
            if kind == other_kind:
                continue
            one = _thumbnail(pixels[kind][int(name)])
            two = _thumbnail(pixels[other_kind][int(other)])
            if are_copies(one, two.mirrored() if mirrored else two):
                places = {kind: int(name), other_kind: int(other)}
                found[places[_UNLABELLED]] = groups[places[_LABELLED]]
    return found


def _grey(pixels: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (GREY_SIZE, GREY_SIZE), interpolation=cv2.INTER_AREA)


def _thumbnail(pixels: np.ndarray) -> Thumbnail:
    return Thumbnail(_grey(pixels), min(pixels.shape[:2]))
