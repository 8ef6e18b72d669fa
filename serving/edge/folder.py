"""Writes the folder of `siamese export`: networks, `model.npz` and the example `classify.py`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from judging.classifier import BestScores, Support, class_centroids
from serving.edge import classify

ARRAYS = "model.npz"

_PILLOW = {"cubic": "BICUBIC", "linear": "BILINEAR", "area": "BOX", "nearest": "NEAREST"}

_UNITS = BestScores(cosine=np.array([1.0, 0.0]), margin=np.array([1.0, -1.0]))
"""Unit scores: what they are combined to are the weights of the best and the second best cosine."""


class Fitting(NamedTuple):
    """How image files become the network's input: the configuration's section `image`.

    Attributes:
        size: Height and width in pixels.
        resize: `stretch`, `pad` or `crop`.
        interpolation: `cubic`, `linear`, `area` or `nearest`.
        region: Left, top, right and bottom of what is cut out first; empty: nothing is.
    """

    size: tuple[int, int]
    resize: str = "pad"
    interpolation: str = "cubic"
    region: tuple[int, ...] = ()

    def arrays(self) -> dict[str, np.ndarray]:
        """Return them as `classify.pixels` reads them."""
        return {
            "size": np.array(self.size),
            "resize": np.array(self.resize),
            "interpolation": np.array(_PILLOW[self.interpolation]),
            "region": np.array(self.region, int),
        }


def write_networks(folder: Path, networks: Mapping[str, bytes | Path]) -> None:
    """Write networks, their content or a file to copy by name, and the example script."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, network in networks.items():
        if isinstance(network, bytes):
            (folder / name).write_bytes(network)
        else:
            shutil.copy(network, folder / name)
    shutil.copy(classify.__file__, folder / "classify.py")


def write_arrays(
    folder: Path,
    networks: Mapping[str, Any],
    fitting: Fitting,
    support: Support,
    thresholds: Mapping[str, float],
) -> None:
    """Write all that is no network.

    Args:
        folder: Of the export.
        networks: By their files' names, in the order in which they are called.
        fitting: How images become pixels.
        support: The labelled images, as the networks embed them.
        thresholds: `known`, for the best class's score, and `same`, for a pair's similarity;
            `scale` and `offset` of the similarity, if it is a logistic function of the cosine.
    """
    known = class_centroids(support.embeddings, support.labels)
    np.savez(
        folder / ARRAYS,
        networks=np.array([*networks]),
        **fitting.arrays(),
        centre=known.centre.astype("float32"),
        classes=known.classes,
        centroids=known.centroids.astype("float32"),
        support=support.embeddings.astype("float32"),
        labels=support.labels,
        sources=support.sources,
        score_weights=_UNITS.by(support.scored_by).astype("float32"),
        **{name: np.float32(value) for name, value in thresholds.items()},
    )
