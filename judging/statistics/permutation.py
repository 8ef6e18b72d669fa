"""Permutation tests of whether answers are better than chance.

Labels are shuffled among groups of images, since images of one group are not independent; of a
group with images of several classes, those of each class are shuffled as one. The tests are exact:
labels that say nothing have a p-value of at most a with a probability of at most a, whatever the
number of images and of draws (Phipson and Smyth 2010, https://doi.org/10.2202/1544-6115.1585).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_MOST_DRAWS = 9999
_LEAST_DRAWS = 999
_CELLS = 20_000_000
"""Labels to draw in all, which bounds the time; a tenth at a time, which bounds the memory."""


def permutation_p_value(
    truth: np.ndarray,
    guess: np.ndarray,
    groups: np.ndarray,
    draws: int | None = None,
    seed: int = 0,
) -> float:
    """Return the probability that shuffled labels agree with the answers as often as the true ones.

    Args:
        truth: [n], the images' classes.
        guess: [n], the classes that they were given, whatever the truth.
        groups: [n], their groups.
        draws: Number of shuffles; None: as many as are quick.
        seed: Of the shuffles.
    """
    classes, own = np.unique(truth, return_inverse=True)
    answer = np.searchsorted(classes, guess).clip(max=len(classes) - 1)
    answer = np.where(classes[answer] == guess, answer, len(classes))  # no class of theirs: a miss
    labels, of_unit = _units(own, groups)
    count = len(labels)
    hits = np.zeros((count, len(classes) + 1), "int32")  # of each unit, if it were of each class
    np.add.at(hits, (of_unit, answer), 1)
    reached = hits[np.arange(count), labels].sum()
    draws = draws or int(np.clip(_CELLS // count, _LEAST_DRAWS, _MOST_DRAWS))
    rng, as_good, at_once = np.random.default_rng(seed), 0, max(1, _CELLS // 10 // count)
    for start in range(0, draws, at_once):
        some = np.tile(labels, (min(at_once, draws - start), 1))
        shuffled = rng.permuted(some, axis=1)
        as_good += int((hits[np.arange(count), shuffled].sum(axis=1) >= reached).sum())
    return (1 + as_good) / (1 + draws)


def repeated_p_value(
    hits: Callable[[np.ndarray], int],
    truth: np.ndarray,
    groups: np.ndarray,
    draws: int,
    seed: int = 0,
) -> float:
    """Return the probability that shuffled labels have as many hits, if the answers go by them.

    Args:
        hits: Classifies the images by labels [n], and returns how many it classifies correctly.
        truth: [n], the images' classes.
        groups: [n], their groups.
        draws: Number of shuffles.
        seed: Of the shuffles.
    """
    classes, own = np.unique(truth, return_inverse=True)
    labels, of_unit = _units(own, groups)
    reached, rng = hits(truth), np.random.default_rng(seed)
    shuffled = (classes[rng.permutation(labels)[of_unit]] for _ in range(draws))
    return (1 + sum(hits(some) >= reached for some in shuffled)) / (1 + draws)


def _units(own: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what is shuffled as one: the class of each unit, and the unit of each image [n]."""
    group = np.unique(groups, return_inverse=True)[1].ravel()
    units, of_unit = np.unique(np.stack([group, own.ravel()]), axis=1, return_inverse=True)
    return units[1], of_unit.ravel()
