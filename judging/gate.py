"""Decides from thresholds and measurements whether a model is blessed. All thresholds must hold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from judging.judgement import Check, Compared, Measure, Outcome, Verdict
from judging.number_text import number
from judging.settings import METRICS, AtLeast, AtMost, Thresholds
from judging.statistics.intervals import needed

LAST_BLESSED = "last blessed model"
PRETRAINED_ENCODER = "pretrained encoder"
RAW_PIXELS = "raw pixels"
"""Names of the models and methods that a candidate is compared with."""

REFERENCE_METHODS = (RAW_PIXELS, PRETRAINED_ENCODER)

CHANCE_LEVEL = 0.025
"""Greatest probability with which shuffled labels may be taken for better than chance."""


class Measured(NamedTuple):
    """The measurements that decide the verdict.

    Attributes:
        images: Number of test images.
        metrics: By name.
        missing: Why a metric could not be measured, by name.
        chance: Class accuracy expected by chance.
        compared: Other models and reference methods, by name; only those that were judged.
        chance_p_value: Of the class accuracy, see `statistics.permutation`; NaN if not known.
        folds: See `judgement.Judgement`.
    """

    images: int
    metrics: Mapping[str, Measure]
    missing: Mapping[str, str]
    chance: float
    compared: Mapping[str, Compared]
    chance_p_value: float = math.nan
    folds: int | None = None


def decide(
    thresholds: Thresholds | None, measured: Measured, others: Sequence[Check] = ()
) -> Verdict:
    """Return the verdict.

    A value that misses a threshold fails. A bound that misses it, while the value reaches it, is
    undecided: more images could decide.

    Args:
        thresholds: Required thresholds; None: no thresholds.
        measured: The measurements.
        others: Additional checks, such as TFMA's.
    """
    checks = [*_checks(thresholds, measured), *others] if thresholds else list(others)
    if not any(check.outcome != "skipped" for check in checks):
        return Verdict(
            outcome="not_blessed",
            checks=tuple(checks),
            reasons=("no threshold is set, and without one nothing can be blessed",),
        )
    failed = [c for c in checks if c.outcome == "failed"]
    undecided = [c for c in checks if c.outcome == "undecided"]
    outcome: Outcome = "not_blessed" if failed else "undecided" if undecided else "blessed"
    against = [c.sentence for c in (*failed, *undecided)]
    if undecided and not failed:
        against.append(_how_many(undecided, measured.images))
    reached = ("every threshold is reached", *_lost_to_reference_methods(measured))
    return Verdict(outcome=outcome, checks=tuple(checks), reasons=tuple(against) or reached)


def _checks(thresholds: Thresholds, measured: Measured) -> Iterator[Check]:
    for name in METRICS:
        if limit := getattr(thresholds, name):
            why = measured.missing.get(name)
            yield _check(name, measured.metrics.get(name), limit, measured, why)
    if thresholds.better_than_chance:
        yield _against_chance(measured)
    yield from _changes(thresholds, measured)
    if thresholds.beats_pretrained_encoder:
        yield _against_encoder(thresholds.beats_pretrained_encoder.bound, measured)
    if thresholds.no_worse_than_reference_methods:
        for name in REFERENCE_METHODS:
            beaten = name == PRETRAINED_ENCODER and thresholds.beats_pretrained_encoder
            compared = None if beaten else measured.compared.get(name)
            if compared and (difference := compared.differences.get("class_accuracy")):
                yield _against_reference_method(name, difference)


def _against_chance(measured: Measured) -> Check:
    own, p_value = measured.metrics.get("class_accuracy"), measured.chance_p_value
    check = Check(
        metric="class_accuracy against chance",
        measure=own,
        required=f"above {number(measured.chance)}, p at most {CHANCE_LEVEL}",
        outcome="undecided",
    )
    if own is None or p_value != p_value:
        note = measured.missing.get("class_accuracy", "it could not be measured")
        return check.model_copy(update={"note": note})
    if own.value <= measured.chance:
        return check.model_copy(update={"outcome": "failed"})
    found = {"note": f"p = {p_value:.2g}"}
    if p_value <= CHANCE_LEVEL:
        return check.model_copy(update={"outcome": "passed", **found})
    more = needed(own.value, own.low, measured.chance, own.images)
    return check.model_copy(update={"needed": _of_all(more, own, measured), **found})


def _against_reference_method(name: str, difference: Measure) -> Check:
    return Check(
        metric=f"class_accuracy against {_with_article(name)}",
        measure=difference,
        required="at least 0, upper bound",
        outcome="passed" if difference.high >= 0 else "failed",
    )


def _lost_to_reference_methods(measured: Measured) -> Iterator[str]:
    """Yield what must be known of a model that is blessed: that something simpler does better."""
    own = measured.metrics.get("class_accuracy")
    for name in REFERENCE_METHODS:
        theirs = name in measured.compared and measured.compared[name].metrics.get("class_accuracy")
        if own and theirs and theirs.value > own.value:
            yield (
                f"but {_with_article(name)} did better on the same images: class_accuracy "
                f"{number(theirs.value)}, the model's {number(own.value)}"
            )


def _with_article(name: str) -> str:
    return name if name == RAW_PIXELS else f"the {name}"


def _changes(thresholds: Thresholds, measured: Measured) -> Iterator[Check]:
    """Check the differences to the last blessed model."""
    before = measured.compared.get(LAST_BLESSED)
    for name, limit in thresholds.change:
        if limit is None:
            continue
        metric = f"{name} against the {LAST_BLESSED}"
        if before is None:
            yield Check(
                metric=metric, required=_required(limit), outcome="skipped",
                note="there is none to compare with",
            )  # fmt: skip
        elif measured.folds and name in measured.metrics and name not in before.differences:
            yield Check(
                metric=metric, required=_required(limit), outcome="skipped",
                note="its images were in other folds, so that the two compare other pairs",
            )  # fmt: skip
        else:
            few = 2 * before.on(measured.images) < measured.images
            why = measured.missing.get(name) or _not_comparable(before, name, measured)
            yield _check(metric, before.differences.get(name), limit, measured, why, few)


def _not_comparable(before: Compared, name: str, measured: Measured) -> str | None:
    """Return why a metric has no difference to the last blessed model's, if that is known."""
    limit = before.limit(LAST_BLESSED, measured.images)
    why = before.missing.get(name)
    return "; ".join(part for part in (limit, why) if part) or None


def _against_encoder(bound: str, measured: Measured) -> Check:
    metric = f"class_accuracy against the {PRETRAINED_ENCODER}"
    encoder, own = measured.compared.get(PRETRAINED_ENCODER), measured.metrics.get("class_accuracy")
    difference = encoder.differences.get("class_accuracy") if encoder else None
    if difference and own and difference.value == 0 and own.value == 1:
        return Check(
            metric=metric, measure=difference, required="above 0.0000", outcome="passed",
            note="both classify every image correctly",
        )  # fmt: skip
    why = None if encoder else f"the {PRETRAINED_ENCODER} was not judged"
    return _above(metric, difference, 0.0, bound, measured, why)


def _check(
    metric: str,
    measure: Measure | None,
    limit: AtLeast | AtMost,
    measured: Measured,
    why: str | None,
    few: bool = False,
) -> Check:
    """Return the check of a metric or of a difference.

    On `few` images, of which the user has not decided, only the whole interval passes or fails.
    """
    # An upper limit is a lower one with signs changed.
    sign, required = (1, limit.at_least) if isinstance(limit, AtLeast) else (-1, -limit.at_most)
    turned = measure and _times(measure, sign)
    by_bound = few or limit.bound != "value"
    check = _compare(metric, _required(limit), turned, required, by_bound, measured, why)
    if turned and few:
        maybe = check.outcome == "failed" and turned.high >= required
        outcome = "undecided" if maybe else check.outcome
        check = check.model_copy(update={"outcome": outcome, "note": why or ""})
    return check.model_copy(update={"measure": measure if check.measure else None})


def _times(measure: Measure, sign: int) -> Measure:
    low, high = sorted((sign * measure.low, sign * measure.high))
    return measure.model_copy(update={"value": sign * measure.value, "low": low, "high": high})


def _above(
    metric: str,
    measure: Measure | None,
    limit: float,
    bound: str,
    measured: Measured,
    why: str | None,
) -> Check:
    required = f"above {number(limit)}" + (", lower bound" if bound == "lower" else "")
    by_bound = bound == "lower"
    return _compare(metric, required, measure, limit, by_bound, measured, why, strictly=True)


def _compare(
    metric: str,
    required: str,
    measure: Measure | None,
    limit: float,
    by_bound: bool,
    measured: Measured,
    why: str | None,
    strictly: bool = False,
) -> Check:
    if measure is None or measure.value != measure.value:
        note = why or "it could not be measured"
        return Check(metric=metric, required=required, outcome="undecided", note=note)
    outcome, images = _outcome(measure, limit, by_bound, strictly)
    of_each_class = metric == "worst_class_recall"  # goes by the images of one class
    if not of_each_class:
        images = _of_all(images, measure, measured)
    note = ""
    if measure.classes is not None:
        images = None  # more images of the same classes would not decide
        note = f"the interval is for the images of one new class, from {measure.classes} classes"
    return Check(
        metric=metric, measure=measure, required=required, outcome=outcome, needed=images,
        of_each_class=of_each_class and images is not None, note=note,
    )  # fmt: skip


def _of_all(images: int | None, measure: Measure, measured: Measured) -> int | None:
    """Return how many test images are needed, if a metric needs `images` of those it counts."""
    if images is None or not measure.images:
        return None
    return -(-images * measured.images // measure.images)


def _outcome(
    measure: Measure, limit: float, by_bound: bool, strictly: bool
) -> tuple[Literal["passed", "failed", "undecided"], int | None]:
    """Return the outcome, and how many images would decide, if that is known."""

    def reached(number: float) -> bool:
        # A share that is exactly the limit must not fail by rounding.
        return number > limit + 1e-12 if strictly else number >= limit - 1e-12

    if not reached(measure.value):
        return "failed", None
    if not by_bound or reached(measure.low):
        return "passed", None
    return "undecided", needed(measure.value, measure.low, limit, measure.images)


def _required(limit: AtLeast | AtMost) -> str:
    if isinstance(limit, AtMost):
        words, value = "at most", limit.at_most
    else:
        words, value = "at least", limit.at_least
    return f"{words} {value:g}" + ("" if limit.bound == "value" else f", {limit.bound} bound")


def _how_many(undecided: Sequence[Check], images: int) -> str:
    by_images = [c for c in undecided if not (c.measure and c.measure.classes)]
    of_all = [c.needed for c in by_images if c.needed is not None and not c.of_each_class]
    of_each = [c.needed for c in by_images if c.needed is not None and c.of_each_class]
    said = []
    if by_images:
        in_all = " in all" if of_each else ""
        would = [f"about {max(of_all)}{in_all}"] if of_all else []
        would += [f"about {max(of_each)} of each class"] if of_each else []
        known = len(of_all) + len(of_each) == len(by_images)
        more = (
            f": {' and '.join(would)} would do" if known else ", and how many would do is not known"
        )
        said.append(f"{images} test images are too few to decide{more}")
    if len(by_images) < len(undecided):
        said.append("more classes, not more images, would decide")
    return "; ".join(said)
