"""95 % interval of a rate on the images of a new class, from its values on other classes.

Images of one class are alike, so that many images of few classes say little about a further class.
Classes are taken as a sample: the rate of each is drawn from a Beta distribution, and the images of
a class are independent given its rate (the beta-binomial model: Skellam 1948, Williams 1975). The
interval is a prediction interval: the middle 95 % of the predictive distribution of one more
class's rate, in which the uncertainty of the distribution itself is integrated out (Higgins,
Thompson and Spiegelhalter 2009, https://doi.org/10.1111/j.1467-985X.2008.00552.x, for one more
study of a meta-analysis). Student's interval of logits, their approximation, misses the new rate
in up to three quarters of the cases where most classes have a rate near 0 and few have a high one.

`benchmarks.open_set` measures it on real images (docs/training.md): on steel, 5 classes and a
sixth, it contains the rate on the new class in 3 of 3 cases, and an interval over images in none.

Of three classes the interval is nearly all of [0, 1]; no other could hold, since one in four
classes lies beyond all of three others on a given side.
"""

from __future__ import annotations

import functools

import numpy as np

from judging.statistics.intervals import LEVEL, Interval

_POINTS = 32
"""Of the grid, along each of the distribution's two parameters."""

_NEGLIGIBLE = 1e-4
"""Relative probability of a point of the grid that is left out."""

_HALVINGS = 10
"""Of [0, 1], to find an end of the interval, which is rounded outwards to 1/1024."""


def new_class_interval(rates: np.ndarray, images: np.ndarray) -> Interval:
    """Return the 95 % prediction interval of the rate on the images of a new class.

    The prior distribution of the classes' mean rate is Jeffreys' Beta(1/2, 1/2), and that of the
    correlation of two images of a class, 1 / (1 + a + b) for Beta(a, b), is uniform in [0, 1].

    Args:
        rates: float64 [k], in [0, 1], of each of k classes.
        images: float64 [k], effective number of independent images of each.
    """
    from scipy.special import betainc, betaln  # here, as in judging.embedded_images

    a, b = _grid()
    hits, misses = rates * images, (1 - rates) * images
    likelihood = (betaln(a[:, None] + hits, b[:, None] + misses) - betaln(a, b)[:, None]).sum(1)
    weight = np.exp(likelihood - likelihood.max())
    some = weight > _NEGLIGIBLE
    a, b, weight = a[some], b[some], weight[some] / weight[some].sum()

    def quantile(share: float) -> Interval:
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if weight @ betainc(a, b, middle) < share:
                low = middle
            else:
                high = middle
        return Interval(low, high)

    return Interval(quantile((1 - LEVEL) / 2).low, quantile((1 + LEVEL) / 2).high)


@functools.cache
def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Return the parameters a and b of Beta distributions, of equal prior probability each."""
    share = (np.arange(_POINTS) + 0.5) / _POINTS
    mean, correlation = np.meshgrid(np.sin(np.pi * share / 2) ** 2, share, indexing="ij")
    size = 1 / correlation - 1
    return (mean * size).ravel(), ((1 - mean) * size).ravel()
