"""From embeddings of test images to a judgement. NumPy alone: how these were had is no matter."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from components.data_error import DataError
from components.judge import episodes, gate, pairs, recognition, roc
from components.judge.classification import Answers, Support, by_each_other, by_support
from components.judge.intervals import (
    Interval,
    correlation,
    difference,
    effective_number,
    simultaneous_level,
    wilson,
)
from components.judge.judgement import (
    Check,
    ClassResult,
    Compared,
    Confused,
    Curve,
    HardPair,
    ImageOutcome,
    Judgement,
    Measure,
    Mistake,
    PairOutcome,
    Picture,
    Suspect,
    Threshold,
    Verdict,
)
from components.judge.settings import JudgeSettings, Thresholds


class HeldOutImages(NamedTuple):
    """The images that are judged on, n of them, in the order of their ids.

    Attributes:
        ids: str [n].
        labels: str [n], their classes.
        sources: str [n], their files.
    """

    ids: np.ndarray
    labels: np.ndarray
    sources: np.ndarray


class View(NamedTuple):
    """What one model makes of the test images.

    Attributes:
        model: Where it is, or in words what it is.
        embeddings: float [n, d], of the test images.
        strangers: float [u, d], of images of no class.
        support: Its labelled images.
        similarity: From embeddings of two sides, float [p, d] each, to similarities float [p]; None
            where it has none.
        same: Its threshold of the similarity.
        known: Its threshold of the best class's score.
    """

    model: str
    embeddings: np.ndarray
    strangers: np.ndarray
    support: Support
    similarity: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    same: float = math.nan
    known: float = math.nan


class PairSettings(NamedTuple):
    """How PairGen has paired the same images; see `pairs.draw_pairs`."""

    partners: int = 16
    most_images: int = 500
    seed: int = 0


class Judged(NamedTuple):
    """A judgement, and what it says of each image and pair.

    Attributes:
        judgement: The judgement.
        outcomes: Of the images.
        pairs: Of the pairs.
    """

    judgement: Judgement
    outcomes: Iterator[ImageOutcome]
    pairs: Iterator[PairOutcome]


def judge(
    images: HeldOutImages,
    candidate: View,
    compared: Mapping[str, View],
    raw_pixels: np.ndarray | None,
    asked: Thresholds | None,
    settings: JudgeSettings,
    pairing: PairSettings = PairSettings(),  # noqa: B008, it is immutable
    others: Sequence[Check] = (),
) -> Judged:
    """Judge a model.

    Args:
        images: The test images.
        candidate: What the model makes of them.
        compared: What other models make of them, by name (`gate.LAST_BLESSED`, ...).
        raw_pixels: str [n], the class of the support image nearest by its pixels; None: not known.
        asked: What the model must reach; None: nothing was said.
        settings: How it is judged.
        pairing: How the images are paired.
        others: Checks that were made elsewhere.
    """
    return _Judge(images, candidate, compared, raw_pixels, settings, pairing).judged(asked, others)


class _Judge:
    def __init__(
        self,
        images: HeldOutImages,
        candidate: View,
        compared: Mapping[str, View],
        raw_pixels: np.ndarray | None,
        settings: JudgeSettings,
        pairing: PairSettings,
    ) -> None:
        supported = np.isin(images.labels, candidate.support.labels)
        self.by_support = bool(supported.any())
        kept = supported if self.by_support else np.ones(len(supported), bool)
        self.invalid = {
            str(source): f"class {label!r} is not in the model's support set"
            for source, label in zip(images.sources[~kept], images.labels[~kept], strict=True)
        }
        self.images = HeldOutImages(*(column[kept] for column in images))
        self.candidate = _only(candidate, kept)
        self.compared = {name: _only(view, kept) for name, view in compared.items()}
        self.raw = None if raw_pixels is None or not self.by_support else raw_pixels[kept]
        self.settings, self.pairing = settings, pairing
        self.metrics: dict[str, Measure] = {}
        self.missing: dict[str, str] = {}
        self.thresholds: dict[str, Threshold] = {}
        self.curves: dict[str, Curve] = {}
        self.their_metrics: dict[str, dict[str, Measure]] = {name: {} for name in compared}
        self.differences: dict[str, dict[str, Measure]] = {name: {} for name in compared}
        self.models = {name: view.model for name, view in compared.items()}

    def judged(self, asked: Thresholds | None, others: Sequence[Check]) -> Judged:
        self._classify()
        self._pair()
        self._recognize()
        self._play_episodes()
        compared = {
            name: Compared(
                model=self.models[name],
                metrics=self.their_metrics[name],
                differences=self.differences[name],
            )
            for name in self.models
        }
        verdict = gate.decide(
            asked,
            gate.Measured(len(self.images.ids), self.metrics, self.missing, self.chance, compared),
            others,
        )
        return Judged(
            self._judgement(verdict, asked, compared), self._outcomes(), self._pair_outcomes()
        )

    # --- classes --------------------------------------------------------------------------------

    def _classify(self) -> None:
        labels = self.images.labels
        self.answers = self._answers(self.candidate)
        self.their_answers = {name: self._answers(view) for name, view in self.compared.items()}
        # Without another image of its class an image cannot be told.
        self.told = np.isfinite(self.answers.own_score)
        guesses = {name: answers.label for name, answers in self.their_answers.items()}
        if self.raw is not None:
            guesses[gate.RAW_PIXELS] = self.raw
            self.models[gate.RAW_PIXELS] = "the support image nearest by its pixels"
            self.their_metrics[gate.RAW_PIXELS] = {}
            self.differences[gate.RAW_PIXELS] = {}
        self.guesses = guesses
        if not self.told.any():
            self.chance, self.recalls = math.nan, {}
            for name in ("class_accuracy", "worst_class_recall"):
                self.missing[name] = "no class has two test images"
            return
        truth, guess = labels[self.told], self.answers.label[self.told]
        self.chance = _chance(truth, guess)
        hits = guess == truth
        self.metrics |= _of_classes(truth, hits)
        self.recalls = {str(c): _share(hits[truth == c]) for c in np.unique(truth)}
        for name, other in guesses.items():
            theirs = other[self.told] == truth
            measures = _of_classes(truth, theirs)
            self.their_metrics[name] |= measures
            r = _correlation_of_hits(hits, theirs)
            self._compare(name, "class_accuracy", measures["class_accuracy"], r)
            # Their worst classes may be different ones.
            self._compare(name, "worst_class_recall", measures["worst_class_recall"], math.nan)

    def _answers(self, view: View) -> Answers:
        if self.by_support:
            return by_support(view.support, view.embeddings, self.images.labels)
        return by_each_other(view.embeddings, self.images.labels)

    # --- pairs ----------------------------------------------------------------------------------

    def _pair(self) -> None:
        self.pairs: pairs.Pairs | None = None
        self.similarities: dict[str, np.ndarray] = {}
        names = ("auc", "accuracy", "precision", "recall", "equal_error_rate")
        if self.candidate.similarity is None:
            return self._leave_out(names, "the model compares no pairs")
        try:
            self.pairs = pairs.draw_pairs(self.images.labels, *self.pairing)
        except DataError as e:
            return self._leave_out(names, str(e))
        views = {"": self.candidate, **self.compared}
        views = {name: view for name, view in views.items() if view.similarity}
        self.similarities = {
            name: np.asarray(
                view.similarity(view.embeddings[self.pairs.left], view.embeddings[self.pairs.right])
            )
            for name, view in views.items()
            if view.similarity
        }
        ranked = [roc.Ranked(scores, self.pairs.same) for scores in self.similarities.values()]
        found = pairs.measure(
            self.pairs,
            ranked,
            [
                pairs.called_same(scores, views[name].same)
                for name, scores in self.similarities.items()
            ],
        )
        measures = self._with_intervals(
            found.values,
            found.covariance,
            _images_of(self.pairs),
            len(self.pairs.same),
            pairs.METRICS,
        )
        own = measures[0]
        self.thresholds["same"] = _threshold(self.candidate.same, own, "accuracy")
        self.curves["same"] = _curve(self.similarities[""], self.pairs.same, 0.0, 1.0)
        self._take(names, own)
        for i, name in enumerate(views):
            if name:
                for metric in names:
                    self._take_theirs(name, metric, measures[i], found.covariance, i, pairs.METRICS)
        return None

    def _of_class_pairs(self, label: str) -> dict[str, Measure]:
        """Accuracy and AUC of the pairs with an image of a class."""
        if self.pairs is None:
            return {}
        labels = self.images.labels
        chosen = (labels[self.pairs.left] == label) | (labels[self.pairs.right] == label)
        if not chosen.any():
            return {}
        some = pairs.Pairs(*(column[chosen] for column in self.pairs))
        scores = self.similarities[""][chosen]
        found = pairs.measure(
            some,
            [roc.Ranked(scores, some.same)],
            [pairs.called_same(scores, self.candidate.same)],
        )
        [measures] = self._with_intervals(
            found.values, found.covariance, _images_of(some), len(some.same), pairs.METRICS
        )
        return {name: measures[name] for name in ("accuracy", "auc") if _is(measures[name])}

    # --- known and unknown ----------------------------------------------------------------------

    def _recognize(self) -> None:
        views = {"": self.candidate, **self.compared}
        found = {
            name: scores
            for name, view in views.items()
            if (
                scores := recognition.recognition_scores(
                    view.support, view.embeddings, self.images.labels, view.strangers
                )
            )
        }
        if "" not in found:
            return self._leave_out(
                ("known_auc", "known_accuracy"),
                "with fewer than three classes, none can be left out to be unknown",
            )
        measured = recognition.measure(
            list(found.values()), [views[name].known for name in found]
        )
        measures = self._with_intervals(
            measured.values, measured.covariance, measured.images, math.inf, recognition.METRICS,
            least=measured.images,
        )  # fmt: skip
        own, scores = measures[0], found[""]
        self._take(("known_auc", "known_accuracy"), own)
        self.thresholds["known"] = _threshold(self.candidate.known, own, "known_accuracy")
        every = np.concatenate([scores.known, scores.unknown])
        self.curves["known"] = _curve(
            every, np.arange(len(every)) < len(scores.known), float(every.min()), float(every.max())
        )
        for i, name in enumerate(found):
            if name:
                self._take_theirs(
                    name, "known_auc", measures[i], measured.covariance, i, recognition.METRICS
                )
                if not math.isnan(views[name].known):
                    self._take_theirs(
                        name, "known_accuracy", measures[i], measured.covariance, i,
                        recognition.METRICS,
                    )  # fmt: skip
        return None

    # --- episodes -------------------------------------------------------------------------------

    def _play_episodes(self) -> None:
        chosen, labels = self.settings.episodes, self.images.labels
        drawn = episodes.draw_episodes(
            labels, chosen.ways, chosen.shots, chosen.queries, chosen.count, self.settings.seed
        )
        if drawn is None:
            return self._leave_out(
                ("episode_accuracy",),
                f"fewer than two classes have {chosen.shots + 1} test images, which "
                f"{chosen.shots}-shot episodes need",
            )
        views = {"": self.candidate, **self.compared}
        found = episodes.accuracy(
            [episodes.hits(view.embeddings, drawn) for view in views.values()], drawn, labels
        )
        taken = len(np.unique(np.append(drawn.query, drawn.support))) - int((drawn.query < 0).any())
        measures = self._with_intervals(
            found.values[:, None], found.covariance, taken, math.inf, ("episode_accuracy",)
        )
        self._take(("episode_accuracy",), measures[0])
        for i, name in enumerate(views):
            if name:
                self._take_theirs(
                    name, "episode_accuracy", measures[i], found.covariance, i,
                    ("episode_accuracy",),
                )  # fmt: skip
        return None

    # --- measures -------------------------------------------------------------------------------

    def _with_intervals(
        self,
        values: np.ndarray,
        covariance: np.ndarray,
        images: int,
        most: float,
        names: Sequence[str],
        least: float | None = None,
    ) -> list[dict[str, Measure]]:
        """For each model its measures, by name; of pairs n images are worth n / 2 at least."""
        variances = np.diag(covariance).reshape(values.shape)
        measures = []
        for row, spread in zip(values, variances, strict=True):
            found = {}
            for name, value, variance in zip(names, row.tolist(), spread.tolist(), strict=True):
                number = effective_number(
                    value, variance, images, images / 2 if least is None else least, most
                )
                low, high = wilson(value, number)
                found[name] = Measure(value=value, low=low, high=high, images=images)
            measures.append(found)
        return measures

    def _take(self, names: Sequence[str], measures: Mapping[str, Measure]) -> None:
        for name in names:
            if _is(measures[name]):
                self.metrics[name] = measures[name]
            else:
                self.missing[name] = "it is not defined: " + _UNDEFINED.get(name, "no such case")

    def _take_theirs(
        self,
        name: str,
        metric: str,
        measures: Mapping[str, Measure],
        covariance: np.ndarray,
        place: int,
        names: Sequence[str],
    ) -> None:
        if not _is(measures[metric]):
            return
        self.their_metrics[name][metric] = measures[metric]
        at = list(names).index(metric)
        r = correlation(covariance, at, place * len(names) + at)
        self._compare(name, metric, measures[metric], r)

    def _compare(self, name: str, metric: str, theirs: Measure, r: float) -> None:
        own = self.metrics.get(metric)
        if own is None:
            return
        low, high = difference(own.value, _interval(own), theirs.value, _interval(theirs), r)
        self.differences[name][metric] = Measure(
            value=own.value - theirs.value, low=low, high=high, images=own.images
        )

    def _leave_out(self, names: Sequence[str], why: str) -> None:
        self.missing |= dict.fromkeys(names, why)

    # --- what is written ------------------------------------------------------------------------

    def _judgement(
        self, verdict: Verdict, asked: Thresholds | None, compared: dict[str, Compared]
    ) -> Judgement:
        truth, guess = self.images.labels[self.told], self.answers.label[self.told]
        cells, counts = np.unique(np.stack([truth, guess]), axis=1, return_counts=True)
        same = 0 if self.pairs is None else int(self.pairs.same.sum())
        return Judgement(
            verdict=verdict,
            asked=asked,
            settings=self.settings,
            images=len(self.images.ids),
            invalid=self.invalid,
            classified_by="support set" if self.by_support else "other test images",
            unknown_by="folder" if len(self.candidate.strangers) else "each class left out",
            chance=self.chance,
            metrics=self.metrics,
            missing=self.missing,
            classes=tuple(self._class(c, truth, guess) for c in self.recalls),
            confusion=tuple(
                Confused(truth=str(t), predicted=str(p), images=int(n))
                for (t, p), n in zip(cells.T, counts, strict=True)
            ),
            thresholds=self.thresholds,
            curves=self.curves,
            pairs={}
            if self.pairs is None
            else {"same": same, "different": len(self.pairs.same) - same},
            compared=compared,
            mistakes=tuple(self._mistakes()),
            suspects=tuple(self._suspects()),
            hard_pairs=tuple(self._hard_pairs()),
        )

    def _class(self, label: str, truth: np.ndarray, guess: np.ndarray) -> ClassResult:
        given = truth[guess == label]
        of_pairs = self._of_class_pairs(label)
        return ClassResult(
            label=label,
            images=int(np.sum(truth == label)),
            support=int(np.sum(self.candidate.support.labels == label)),
            predicted=len(given),
            recall=self.recalls[label],
            precision=_share(given == label) if len(given) else None,
            pair_accuracy=of_pairs.get("accuracy"),
            pair_auc=of_pairs.get("auc"),
        )

    def _mistakes(self) -> Iterator[Mistake]:
        a = self.answers
        wrong = np.flatnonzero(self.told & (a.label != self.images.labels))
        surest = wrong[np.argsort(a.own_score[wrong] - a.score[wrong], kind="stable")]
        for i in surest[: self.settings.listed].tolist():
            yield Mistake(
                image=self._picture(i),
                predicted=str(a.label[i]),
                score=float(a.score[i]),
                own_score=float(a.own_score[i]),
                nearest=self._labelled(int(a.rival[i])),
            )

    def _suspects(self) -> Iterator[Suspect]:
        labels = self._labelled_labels()[self.answers.neighbours]
        own = self.images.labels
        found = []
        for i in np.flatnonzero(self.told & (labels != own[:, None]).all(1)).tolist():
            names, counts = np.unique(labels[i], return_counts=True)
            most = int(np.argmax(counts))
            # At least four of five: else the image only lies between classes.
            if counts[most] >= max(2, 0.8 * labels.shape[1]):
                found.append((-int(counts[most]), -float(self.answers.score[i]), i, names[most]))
        for agreeing, _, i, suggested in sorted(found)[: self.settings.listed]:
            yield Suspect(
                image=self._picture(i),
                suggested=str(suggested),
                agreeing=-agreeing,
                neighbours=tuple(self._labelled(j) for j in self.answers.neighbours[i].tolist()),
            )

    def _hard_pairs(self) -> Iterator[HardPair]:
        if self.pairs is None:
            return
        left, right, same = self.pairs
        scores = self.similarities[""]
        beyond = np.where(same, self.candidate.same - scores, scores - self.candidate.same)
        for i in np.argsort(-beyond, kind="stable")[: self.settings.listed].tolist():
            yield HardPair(
                left=self._picture(int(left[i])),
                right=self._picture(int(right[i])),
                same=bool(same[i]),
                similarity=float(scores[i]),
            )

    def _picture(self, i: int) -> Picture:
        ids, labels, sources = self.images
        return Picture(id=str(ids[i]), source=str(sources[i]), label=str(labels[i]))

    def _labelled(self, i: int) -> Picture:
        """A labelled image that others are classified by."""
        if not self.by_support:
            return self._picture(i)
        support = self.candidate.support
        return Picture(id="", source=str(support.sources[i]), label=str(support.labels[i]))

    def _labelled_labels(self) -> np.ndarray:
        return self.candidate.support.labels if self.by_support else self.images.labels

    def _outcomes(self) -> Iterator[ImageOutcome]:
        sources = self.candidate.support.sources if self.by_support else self.images.sources
        a = self.answers
        for i in range(len(self.images.ids)):
            image = self._picture(i)
            yield ImageOutcome(
                id=image.id,
                source=image.source,
                label=image.label,
                predicted=str(a.label[i]),
                score=float(a.score[i]),
                own_score=float(a.own_score[i]),
                known=bool(np.float32(a.score[i]) >= np.float32(self.candidate.known)),
                nearest=tuple(str(s) for s in sources[a.neighbours[i]]),
                others={name: str(guess[i]) for name, guess in self.guesses.items()},
            )

    def _pair_outcomes(self) -> Iterator[PairOutcome]:
        if self.pairs is None:
            return
        for i, (left, right) in enumerate(zip(self.pairs.left, self.pairs.right, strict=True)):
            yield PairOutcome(
                left=str(self.images.ids[left]),
                right=str(self.images.ids[right]),
                same=bool(self.pairs.same[i]),
                similarity=float(self.similarities[""][i]),
                others={n: float(s[i]) for n, s in self.similarities.items() if n},
            )


_UNDEFINED = {
    "precision": "the model calls no pair the same",
    "recall": "no pair is the same",
}


def _only(view: View, kept: np.ndarray) -> View:
    return view._replace(embeddings=view.embeddings[kept])


def _is(measure: Measure) -> bool:
    return measure.value == measure.value


def _interval(measure: Measure) -> Interval:
    return Interval(measure.low, measure.high)


def _share(hits: np.ndarray, level: float | None = None) -> Measure:
    value = float(np.mean(hits))
    low, high = wilson(value, len(hits)) if level is None else wilson(value, len(hits), level)
    return Measure(value=value, low=low, high=high, images=len(hits))


def _of_classes(truth: np.ndarray, hits: np.ndarray) -> dict[str, Measure]:
    """The accuracy, and the recall of the class that does worst.

    That class is known after the fact alone, so its interval is where the least recall is if all
    classes' intervals hold at once.
    """
    classes = np.unique(truth)
    level = simultaneous_level(len(classes))
    each = [_share(hits[truth == c], level) for c in classes]
    worst = min(each, key=lambda m: (m.value, m.images))
    return {
        "class_accuracy": _share(hits),
        "worst_class_recall": Measure(
            value=worst.value,
            low=min(m.low for m in each),
            high=min(m.high for m in each),
            images=worst.images,
        ),
    }


def _chance(truth: np.ndarray, guess: np.ndarray) -> float:
    """How often both would agree if they had nothing to do with each other (as Cohen's kappa)."""
    return float(sum(np.mean(truth == c) * np.mean(guess == c) for c in np.unique(truth)))


def _correlation_of_hits(one: np.ndarray, other: np.ndarray) -> float:
    if one.all() or other.all() or not one.any() or not other.any():
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])


def _images_of(some: pairs.Pairs) -> int:
    return len(np.unique(np.append(some.left, some.right)))


def _threshold(value: float, measures: Mapping[str, Measure], accuracy: str) -> Threshold:
    return Threshold(
        value=value,
        false_accepts=measures["false_accepts"],
        false_rejects=measures["false_rejects"],
        accuracy=measures[accuracy],
    )


_BINS = 40


def _curve(scores: np.ndarray, positive: np.ndarray, low: float, high: float) -> Curve:
    points = roc.roc_points(roc.Ranked(scores, positive))
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    return Curve(
        false_accepts=tuple(points.false_accepts.tolist()),
        true_accepts=tuple(points.true_accepts.tolist()),
        thresholds=tuple(points.thresholds.tolist()),
        edges=tuple(edges.tolist()),
        positives=tuple(np.histogram(scores[positive], edges)[0].tolist()),
        negatives=tuple(np.histogram(scores[~positive], edges)[0].tolist()),
    )
