"""Picks the images and pairs that people should look at, and lists every outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from judging.classifier import Support
from judging.judgement import HardPair, Mistake, Picture, Suspect
from judging.metrics.classes import JudgedClasses
from judging.metrics.pairs import JudgedPairs
from judging.outcomes import ImageOutcome, PairOutcome
from judging.reference import known_by
from judging.views import CANDIDATE, HeldOutImages

_PAIRS_OF_AN_IMAGE = 2
"""Hard pairs that an image is listed in, at most."""


class Evidence:
    """The evidence behind a judgement.

    Args:
        images: The test images.
        support: The labelled images that they were classified by; None: by each other.
        classes: The classes that they were given.
        pairs: Their pairs, if there are any.
        listed: At most this many mistakes, this many suspects and this many hard pairs.
    """

    def __init__(
        self,
        images: HeldOutImages,
        support: Support | None,
        classes: JudgedClasses,
        pairs: JudgedPairs | None,
        listed: int,
    ) -> None:
        self._images, self._support = images, support
        self._classes, self._pairs, self._listed = classes, pairs, listed

    def mistakes(self) -> Iterator[Mistake]:
        """Yield the most confident errors."""
        a = self._classes.answers
        wrong = np.flatnonzero(self._classes.counted & (a.label != self._images.labels))
        most_confident = wrong[np.argsort(a.own_score[wrong] - a.score[wrong], kind="stable")]
        for i in most_confident[: self._listed].tolist():
            yield Mistake(
                image=self._picture(i),
                predicted=str(a.label[i]),
                score=float(a.score[i]),
                own_score=float(a.own_score[i]),
                nearest=self._labelled(int(a.rival[i])),
            )

    def suspects(self) -> Iterator[Suspect]:
        """Yield images that may be mislabelled."""
        own, answers = self._images.labels, self._classes.answers
        labels = (own if self._support is None else self._support.labels)[answers.neighbours]
        suspects = []
        for i in np.flatnonzero(self._classes.counted & (labels != own[:, None]).all(1)).tolist():
            names, counts = np.unique(labels[i], return_counts=True)
            most = int(np.argmax(counts))
            # At least four of five; otherwise the image merely lies between classes.
            if counts[most] >= max(2, 0.8 * labels.shape[1]):
                suspects.append((-int(counts[most]), -float(answers.score[i]), i, names[most]))
        for agreeing, _, i, suggested in sorted(suspects)[: self._listed]:
            yield Suspect(
                image=self._picture(i),
                suggested=str(suggested),
                agreeing=-agreeing,
                neighbours=tuple(self._labelled(j) for j in answers.neighbours[i].tolist()),
            )

    def hard_pairs(self) -> Iterator[HardPair]:
        """Yield the pairs that are furthest on the wrong side of the threshold.

        One odd image would be in nearly all of them, so each is in at most `_PAIRS_OF_AN_IMAGE`.
        """
        if self._pairs is None:
            return
        left, right, same = self._pairs.pairs
        scores, limit = self._pairs.similarities[CANDIDATE], self._pairs.threshold.value
        beyond = np.where(same, limit - scores, scores - limit)
        shown: Counter[int] = Counter()
        listed = 0
        for i in np.argsort(-beyond, kind="stable").tolist():
            pair = int(left[i]), int(right[i])
            if listed == self._listed:
                return
            if max(shown[side] for side in pair) >= _PAIRS_OF_AN_IMAGE:
                continue
            shown.update(pair)
            listed += 1
            yield HardPair(
                left=self._picture(int(left[i])),
                right=self._picture(int(right[i])),
                same=bool(same[i]),
                similarity=float(scores[i]),
            )

    def image_outcomes(self, known: float) -> Iterator[ImageOutcome]:
        """Yield the outcome of each image; `known` is the model's threshold."""
        sources = self._images.sources if self._support is None else self._support.sources
        a = self._classes.answers
        accepted = known_by(a.score, known)
        for i in range(len(self._images.ids)):
            image = self._picture(i)
            yield ImageOutcome(
                id=image.id,
                source=image.source,
                label=image.label,
                group=int(self._images.groups[i]),
                predicted=str(a.label[i]),
                score=float(a.score[i]),
                own_score=float(a.own_score[i]),
                known=bool(accepted[i]),
                nearest=tuple(str(s) for s in sources[a.neighbours[i]]),
                others={name: str(guess[i]) for name, guess in self._classes.guesses.items()},
            )

    def pair_outcomes(self) -> Iterator[PairOutcome]:
        """Yield the outcome of each pair."""
        if self._pairs is None:
            return
        left, right, same = self._pairs.pairs
        others = dict(self._pairs.similarities)
        scores = others.pop(CANDIDATE)
        for i in range(len(same)):
            yield PairOutcome(
                left=str(self._images.ids[left[i]]),
                right=str(self._images.ids[right[i]]),
                same=bool(same[i]),
                similarity=float(scores[i]),
                others={name: float(theirs[i]) for name, theirs in others.items()},
            )

    def _picture(self, i: int) -> Picture:
        ids, labels, sources, *_ = self._images
        return Picture(id=str(ids[i]), source=str(sources[i]), label=str(labels[i]))

    def _labelled(self, i: int) -> Picture:
        """A labelled image that others are classified by."""
        if self._support is None:
            return self._picture(i)
        return Picture(
            id="", source=str(self._support.sources[i]), label=str(self._support.labels[i])
        )
