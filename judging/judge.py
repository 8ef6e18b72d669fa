"""Judges a model: from embeddings of test images to a judgement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from judging import gate
from judging.costs import cheapest, cost_of
from judging.evidence import Evidence
from judging.folded_view import AnyView
from judging.judgement import Check, Compared, DecisionCosts, Judgement
from judging.measurements import Measurements
from judging.metrics.classes import JudgedClasses, judge_classes
from judging.metrics.episodes import judge_episodes
from judging.metrics.open_set import JudgedOpenSet, judge_open_set
from judging.metrics.pairs import JudgedPairs, judge_pairs
from judging.outcomes import ImageOutcome, PairOutcome
from judging.reference import Reference, known_by
from judging.settings import Costs, JudgeSettings, Thresholds
from judging.statistics.fold_intervals import widened
from judging.views import CANDIDATE, HeldOutImages, PairSettings


class Judged(NamedTuple):
    """A judgement, and the outcome of each image and pair.

    Attributes:
        judgement: The judgement.
        outcomes: Of the images.
        pairs: Of the pairs.
        reference: What traffic is compared with; None if the images were not classified by the
            model's own support set.
    """

    judgement: Judgement
    outcomes: Iterator[ImageOutcome]
    pairs: Iterator[PairOutcome]
    reference: Reference | None = None


def judge(
    images: HeldOutImages,
    candidate: AnyView,
    compared: Mapping[str, AnyView],
    raw_pixels: np.ndarray | None,
    thresholds: Thresholds | None,
    settings: JudgeSettings,
    pairing: PairSettings = PairSettings(),  # noqa: B008, it is immutable
    others: Sequence[Check] = (),
    unknown_groups: np.ndarray | None = None,
) -> Judged:
    """Judge a model.

    It is compared with each other model on images that both accept, and with the last blessed model
    only on those that the latter was not trained on.

    Args:
        images: The test images.
        candidate: The model's view of them.
        compared: Other models' views, by name (`gate.LAST_BLESSED`, ...).
        raw_pixels: str [n], the class of the support image nearest by its pixels; None: not known.
        thresholds: Required thresholds; None: no thresholds.
        settings: How to judge.
        pairing: How to pair the images.
        others: Additional checks, such as TFMA's.
        unknown_groups: int [u], the groups of the unknown images; None: each is one by itself.
    """
    supported = np.isin(images.labels, candidate.support.labels)
    with_support = _with_support(images.labels, [candidate, *compared.values()])
    kept = supported if with_support else np.ones(len(supported), bool)
    lost = zip(images.sources[~kept], images.labels[~kept], strict=True)
    invalid = {str(s): f"class {label!r} is not in the model's support set" for s, label in lost}
    images = images.only(kept)
    views = {name: view.only(kept) for name, view in {CANDIDATE: candidate, **compared}.items()}
    raw_pixels = raw_pixels[kept] if raw_pixels is not None and with_support else None
    setup = _Setup(with_support, settings, pairing)

    if unknown_groups is None:
        first = int(images.groups.max(initial=-1)) + 1
        unknown_groups = first + np.arange(len(candidate.unknown))
    accepting = {
        name: view
        for name, view in views.items()
        if name == CANDIDATE or (view.accepted.all() and view.accepted_unknown.all())
    }
    measured = _measure(images, unknown_groups, accepting, raw_pixels, setup)
    others_measured = measured.measurements.compared()
    for name, view in views.items():
        # The pretrained encoder is an older state of the candidate, which has seen none of them.
        fair = name != gate.LAST_BLESSED or (view.unseen.all() and view.unseen_unknown.all())
        if name not in accepting or not fair:
            others_measured[name] = _on_shared(images, unknown_groups, views, name, setup)
    return _judged(
        images, views[CANDIDATE], measured, others_measured, thresholds, setup, others, invalid
    )


def _with_support(labels: np.ndarray, views: Sequence[AnyView]) -> bool:
    """Return whether images of these classes are classified by the support sets.

    Classes that were held out from training have no support set, unless they are enrolled: one that
    is must not leave out the others.
    """
    candidate = views[0]
    trained = set(candidate.support.labels.tolist()) - candidate.enrolled
    tested = set(labels.tolist())
    return bool(tested & trained) or all(
        tested <= set(view.support.labels.tolist()) for view in views
    )


class _Setup(NamedTuple):
    """Settings that all metrics share."""

    with_support: bool
    settings: JudgeSettings
    pairing: PairSettings


class _Measured(NamedTuple):
    """Metrics on some images, and the classes, pairs and open-set scores behind them."""

    measurements: Measurements
    classes: JudgedClasses
    pairs: JudgedPairs | None
    open_set: JudgedOpenSet | None


def _measure(
    images: HeldOutImages,
    unknown_groups: np.ndarray,
    views: Mapping[str, AnyView],
    raw_pixels: np.ndarray | None,
    setup: _Setup,
    with_open_set: bool = True,
) -> _Measured:
    models = {name: view.model for name, view in views.items() if name != CANDIDATE}
    if raw_pixels is not None:
        models[gate.RAW_PIXELS] = "the support image nearest by its pixels"
    measurements = Measurements(models)
    classes = judge_classes(images, views, setup.with_support, raw_pixels, measurements)
    pairs = judge_pairs(images, views, setup.pairing, measurements)
    open_set = None
    if with_open_set:
        open_set = judge_open_set(images, unknown_groups, views, measurements)
    judge_episodes(images, views, setup.settings.episodes, setup.pairing.seed, measurements)
    return _Measured(measurements, classes, pairs, open_set)


def _on_shared(
    images: HeldOutImages,
    unknown_groups: np.ndarray,
    views: Mapping[str, AnyView],
    name: str,
    setup: _Setup,
) -> Compared:
    """Compare with another model on images that it accepts and was not trained on."""
    other = views[name]
    shared = other.unseen & other.accepted
    unknown = other.unseen_unknown & other.accepted_unknown
    compared = Compared(
        model=other.model,
        metrics={},
        differences={},
        left_out=int(np.sum(~other.unseen)),
        not_accepted=int(np.sum(other.unseen & ~other.accepted)),
        unknown_left_out=int(np.sum(~unknown)),
    )
    if not shared.any():
        return compared
    both = {CANDIDATE: views[CANDIDATE], name: other}
    measurements = _measure(
        images.only(shared),
        unknown_groups[unknown],
        {name: view.only(shared, unknown) for name, view in both.items()},
        None,
        setup,
        # Without any unknown image each class would be left out instead: another metric.
        with_open_set=bool(unknown.any()) or not len(unknown),
    ).measurements
    on_these = measurements.compared()[name]
    return compared.model_copy(
        update={
            "metrics": on_these.metrics,
            "differences": on_these.differences,
            "own": measurements.metrics,
            "missing": measurements.missing,
        }
    )


def _judged(
    images: HeldOutImages,
    candidate: AnyView,
    measured: _Measured,
    compared: dict[str, Compared],
    thresholds: Thresholds | None,
    setup: _Setup,
    others: Sequence[Check],
    invalid: dict[str, str],
) -> Judged:
    """Return the judgement on what was measured."""
    folds = None if images.folds is None else len(np.unique(images.folds))
    metrics = widened(measured.measurements.metrics, folds)
    compared = widened(compared, folds)
    missing, classes = measured.measurements.missing, measured.classes
    gated = gate.Measured(
        len(images.ids), metrics, missing, classes.chance, compared, classes.chance_p_value,
        folds,
    )  # fmt: skip
    support, pairs = candidate.support if setup.with_support else None, measured.pairs
    evidence = Evidence(images, support, classes, pairs, setup.settings.listed)
    by_threshold: dict[str, JudgedPairs | JudgedOpenSet | None] = {
        "same": pairs, "known": measured.open_set
    }  # fmt: skip
    judgement = Judgement(
        verdict=gate.decide(thresholds, gated, others),
        asked=thresholds,
        settings=setup.settings,
        images=len(images.ids),
        groups=len(np.unique(images.groups)),
        folds=folds,
        invalid=invalid,
        classified_by="support set" if setup.with_support else "other test images",
        unknown_by="folder" if len(candidate.unknown) else "each class left out",
        chance=classes.chance,
        chance_p_value=classes.chance_p_value,
        metrics=metrics,
        missing=missing,
        classes=widened(
            tuple(
                classes.result(
                    label,
                    candidate.support.labels,
                    pairs.of_class(images.labels, label) if pairs else {},
                )
                for label in classes.recalls
            ),
            folds,
        ),
        confusion=classes.confusion(),
        thresholds=widened(
            {name: one.threshold for name, one in by_threshold.items() if one}, folds
        ),
        curves={name: one.curve for name, one in by_threshold.items() if one},
        costs=widened(_costs(by_threshold, setup.settings.costs), folds),
        pairs=pairs.counts() if pairs else {},
        compared=compared,
        mistakes=tuple(evidence.mistakes()),
        suspects=tuple(evidence.suspects()),
        hard_pairs=tuple(evidence.hard_pairs()),
    )
    reference = _reference(images, candidate, classes) if setup.with_support else None
    outcomes = evidence.image_outcomes(candidate.known)
    return Judged(judgement, outcomes, evidence.pair_outcomes(), reference)


def _reference(images: HeldOutImages, candidate: AnyView, classes: JudgedClasses) -> Reference:
    answers = classes.answers
    return Reference(
        images.labels,
        answers.label,
        answers.score,
        answers.margin,
        known_by(answers.score, candidate.known),
        images.groups,
        candidate.embeddings.astype("float32"),
    ).drawn()


def _costs(
    decisions: Mapping[str, JudgedPairs | JudgedOpenSet | None], costs: Costs | None
) -> dict[str, DecisionCosts]:
    """Return what the model's decisions cost, by name."""
    if costs is None:
        return {}
    return {
        name: DecisionCosts(
            own=cost_of(one.threshold, costs),
            cheapest=cost_of(one.at(cheapest(one.curve, costs)), costs),
        )
        for name, one in decisions.items()
        if one
    }
