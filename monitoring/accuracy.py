"""Accuracy on traffic: estimated without labels, and measured on what people have reviewed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from judging.judgement import Measure
from judging.reference import Reference
from judging.statistics.intervals import clopper_pearson, effective_groups
from monitoring.sample import Sample
from traffic.rows import Answer, Decision, Kept, Review, StoredImage


def estimated(reference: Reference, traffic: Sample) -> Measure | None:
    """Return the accuracy on images that the model takes for known, without labels.

    Average thresholded confidence (Garg et al. 2022, https://arxiv.org/abs/2201.04234): a threshold
    for the margin between the two best classes is chosen so that the share of reference images
    above it is the accuracy on the reference; the estimate is the share of the traffic above it.
    Where all of the reference is correct, so is all of the traffic by this estimate.

    The interval is the exact one of a proportion of 1 / (1/n + 1/m) trials, n being the effective
    number of the reference's images and m that of the traffic's, rounded outwards to whole images:
    it is to hold the share of these m images that is classified correctly. It covers chance, not
    another relation between margin and accuracy than the reference's: images of new classes or of
    another camera may be classified confidently and incorrectly.

    Returns:
        None if either sample has no image that is taken for known, or there is one class.
    """
    judged = reference.only(reference.known)
    margins = traffic.margins[traffic.known]
    if not len(judged.labels) or not len(margins) or not np.isfinite(margins).all():
        return None
    if not np.isfinite(judged.margins).all():
        return None
    correct = judged.labels == judged.predicted
    below = int(np.count_nonzero(~correct))
    share = 1.0
    if below:
        ordered = np.sort(judged.margins)
        upper = ordered[below] if below < len(ordered) else np.inf
        share = float(np.mean(margins >= (ordered[below - 1] + upper) / 2))
    trials = 1 / (1 / effective_groups(judged.groups) + 1 / len(margins))
    low, high = clopper_pearson(share, trials)
    # So many images are correct in whole numbers: otherwise one error in the reference would make
    # a period without any error impossible.
    count = len(margins)
    low, high = np.floor(low * count) / count, np.ceil(high * count) / count
    return Measure(value=share, low=float(low), high=float(high), images=count)


class Reviewed(NamedTuple):
    """What people's decisions say about the answers of a period.

    Attributes:
        accuracy: Of the answers about images that were kept at random: unbiased; None if none of
            these was reviewed.
        random: How many images of the period were kept at random, reviewed or not.
        others: How many reviewed images were kept for another reason, such as a low margin.
        others_correct: The model's correct answers among these, which are no estimate.
        skipped: How many people could not tell.
    """

    accuracy: Measure | None
    random: int
    others: int
    others_correct: int
    skipped: int


def reviewed(
    answers: Iterable[Answer], images: Mapping[str, StoredImage], reviews: Sequence[Review]
) -> Reviewed:
    """Return the measured accuracy on what was reviewed.

    Answers that were given before the decision count. One is correct if it names the class that a
    person named, and takes the image for known; or if neither of them took it for any class.

    Args:
        answers: Of the period, oldest first.
        images: The images that are kept, by digest.
        reviews: Decisions about them.
    """
    decided = {one.digest: one.time for one in reviews}
    # What was answered later may be by a model that has learned from the decision.
    last = {
        one.digest: one
        for one in answers
        if one.digest and one.valid and one.time <= decided.get(one.digest, math.inf)
    }
    drawn = {digest for digest in last if digest in images and images[digest].kept == Kept.RANDOM}
    right: dict[bool, list[bool]] = {True: [], False: []}
    skipped = 0
    for review in reviews:
        if (answer := last.get(review.digest)) is None:
            continue
        if review.decision == Decision.SKIP:
            skipped += 1
        else:
            right[review.digest in drawn].append(is_correct(answer, review))
    accuracy = None
    if hits := right[True]:
        share = sum(hits) / len(hits)
        low, high = clopper_pearson(share, len(hits))
        accuracy = Measure(value=share, low=low, high=high, images=len(hits))
    return Reviewed(accuracy, len(drawn), len(right[False]), sum(right[False]), skipped)


def is_correct(answer: Answer, review: Review) -> bool:
    """Return whether an answer agrees with a decision other than to skip the image."""
    if review.decision == Decision.NONE:
        return not answer.known
    return answer.known and answer.label == review.label
