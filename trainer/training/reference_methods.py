"""What needs no training of ours, on the same images: figures that keep a result honest."""

from __future__ import annotations

import numpy as np

from judging.classifier import few_shot_accuracy, nearest_neighbour
from trainer.training.images import Images


def raw_pixel_accuracy(support: Images, query: Images) -> float:
    """Share of the queries whose nearest support image, pixel by pixel, is of their class.

    NaN where the queries are of classes that the support set lacks.
    """
    if not set(query.labels) <= set(support.labels) or not len(query.labels):
        return float("nan")
    flat = [images.pixels.reshape(len(images.pixels), -1) for images in (support, query)]
    return float(np.mean(nearest_neighbour(flat[0], support.labels, flat[1]) == query.labels))


def pretrained_encoder_accuracy(
    support_features: np.ndarray, support: Images, query_features: np.ndarray, query: Images
) -> float:
    """SimpleShot on the features of the backbone as it was before training.

    Args:
        support_features: float [s, d], the backbone's pooled features.
        support: The images that they are of.
        query_features: float [q, d].
        query: The images that they are of.
    """
    return few_shot_accuracy(support_features, support.labels, query_features, query.labels)
