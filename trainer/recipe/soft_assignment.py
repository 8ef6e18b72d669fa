"""Soft k-means: to which classes unlabelled images probably belong, from few labelled ones.

The prototypes of the classes start at the labelled images and move to the images that are assigned
to them (Ren et al. 2018, "Meta-learning for semi-supervised few-shot classification",
https://arxiv.org/abs/1803.00676). Further prototypes without a class take up images of none of the
classes.
"""

from __future__ import annotations

import numpy as np

from judging.classifier import normalize

_SHARPNESS = 20.0
"""Factor of the cosines in the softmax. On steel defects and on cats and dogs, with one to five
labelled images a class, 10 and 20 were equally good, and 5 and 40 worse by one or two points."""

_ITERATIONS = 30
_MOST_OTHERS = 4
"""Prototypes without a class at most."""


def class_weights(labelled: np.ndarray, labels: np.ndarray, unlabelled: np.ndarray) -> np.ndarray:
    """Return with which weights unlabelled images belong to the classes.

    As few prototypes without a class are used as let most labelled images be nearest to the mean of
    the unlabelled images of their own class. Without any, images of another kind make two classes
    of few labelled images share one prototype while they take the other: then labelled images
    disagree.

    Args:
        labelled: float [n, d], vectors of length one.
        labels: [n], their classes.
        unlabelled: float [u, d], vectors of length one.

    Returns:
        Float64 [u, c], for the sorted classes; the sum of a row is 1 at most.
    """
    classes, own = np.unique(labels, return_inverse=True)
    centre = np.concatenate([labelled, unlabelled]).mean(axis=0)
    labelled, unlabelled = normalize(labelled - centre), normalize(unlabelled - centre)
    members = np.eye(len(classes))[own]
    start, best, most = normalize(members.T @ labelled), np.empty(0), -1.0
    for _ in range(1 + min(_MOST_OTHERS, len(unlabelled))):
        weights = _converged(labelled, members, unlabelled, start)
        nearest = (labelled @ normalize(weights.T @ unlabelled).T).argmax(axis=1)
        agreement = np.mean(nearest == own)
        if agreement > most:
            best, most = weights[:, : len(classes)], float(agreement)
        farthest = (unlabelled @ start.T).max(axis=1).argmin()
        start = np.concatenate([start, unlabelled[farthest, None]])
    return best


def _converged(
    labelled: np.ndarray, members: np.ndarray, unlabelled: np.ndarray, prototypes: np.ndarray
) -> np.ndarray:
    """Return the weights float64 [u, p] of unlabelled images for prototypes [p, d], classes first.

    Args:
        labelled: float [n, d], centred.
        members: float [n, c], 1 for an image's class.
        unlabelled: float [u, d], centred.
        prototypes: Where they start.
    """
    of_labelled = members.T @ labelled
    weights = np.empty(0)
    for _ in range(_ITERATIONS):
        logits = _SHARPNESS * (unlabelled @ prototypes.T)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        sums = weights.T @ unlabelled
        sums[: len(of_labelled)] += of_labelled
        prototypes = normalize(sums)
    return weights
