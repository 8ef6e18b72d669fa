"""Thresholds and measurements to a verdict. All must hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from judging.judgement import Check, Compared, Measure, Outcome, Verdict
from judging.settings import METRICS, AtLeast, AtMost, Thresholds
from judging.statistics.intervals import needed

LAST_BLESSED, PRETRAINED_ENCODER, RAW_PIXELS = (
    "last blessed model",
    "pretrained encoder",
    "raw pixels",
)
"""What a candidate is compared with."""


class Measured(NamedTuple):
    """What the gate goes by.

    Attributes:
        images: Test images.
        metrics: By name.
        missing: By name, why a metric could not be measured.
        chance: Of the class accuracy.
        compared: By name; what is not there was not judged.
    """

    images: int
    metrics: Mapping[str, Measure]
    missing: Mapping[str, str]
    chance: float
    compared: Mapping[str, Compared]


def decide(
    thresholds: Thresholds | None, measured: Measured, others: Sequence[Check] = ()
) -> Verdict:
    """The verdict.

    A value that misses what is wanted fails. A bound that misses it, while the value reaches it, is
    undecided: more images could bring it there.

    Args:
        thresholds: What is wanted; None: nothing was said.
        measured: What was found.
        others: Checks that were made elsewhere, as by TFMA.
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
    against = [_sentence(c) for c in (*failed, *undecided)]
    if undecided and not failed:
        against.append(_how_many(undecided, measured.images))
    return Verdict(
        outcome=outcome,
        checks=tuple(checks),
        reasons=tuple(against) or ("every threshold is reached",),
    )


def _checks(thresholds: Thresholds, measured: Measured) -> list[Check]:
    checks = []
    for name in METRICS:
        if limit := getattr(thresholds, name):
            found = measured.metrics.get(name)
            checks.append(_check(name, found, limit, measured, measured.missing.get(name)))
    if thresholds.better_than_chance:
        checks.append(_above(
            "class_accuracy against chance", measured.metrics.get("class_accuracy"),
            measured.chance, "lower", measured, measured.missing.get("class_accuracy"),
        ))  # fmt: skip
    before = measured.compared.get(LAST_BLESSED)
    for name, limit in thresholds.change:
        if limit is None:
            continue
        metric = f"{name} against the {LAST_BLESSED}"
        if before is None:
            checks.append(Check(
                metric=metric, wanted=_wanted(limit), outcome="skipped",
                note="there is none to compare with",
            ))  # fmt: skip
        else:
            found = before.differences.get(name)
            why = measured.missing.get(name) or _too_few(before, name, measured)
            checks.append(_check(metric, found, limit, measured, why))
    if thresholds.beats_pretrained_encoder:
        pretrained = measured.compared.get(PRETRAINED_ENCODER)
        own = measured.metrics.get("class_accuracy")
        metric = f"class_accuracy against the {PRETRAINED_ENCODER}"
        found = pretrained.differences.get("class_accuracy") if pretrained else None
        if found and own and found.value == 0 and own.value == 1:
            checks.append(Check(
                metric=metric, measure=found, wanted="above 0.0000", outcome="passed",
                note="both are right throughout",
            ))  # fmt: skip
        else:
            bound = thresholds.beats_pretrained_encoder.bound
            why = None if pretrained else "the pretrained encoder was not judged"
            checks.append(_above(metric, found, 0.0, bound, measured, why))
    return checks


def _too_few(before: Compared, name: str, measured: Measured) -> str | None:
    """Why a metric does not tell the candidate from the last blessed model, where it is known."""
    limit = before.limit(LAST_BLESSED, measured.images)
    why = before.missing.get(name)
    return "; ".join(part for part in (limit, why) if part) or None


def _check(
    metric: str, found: Measure | None, limit: AtLeast | AtMost, measured: Measured, why: str | None
) -> Check:
    wanted = _wanted(limit)
    if found is None or found.value != found.value:
        return _unmeasured(metric, wanted, why)
    if isinstance(limit, AtMost):
        # The same the other way round.
        turned = Measure(value=-found.value, low=-found.high, high=-found.low, images=found.images)
        outcome, more = _outcome(turned, -limit.at_most, limit.bound != "value", strictly=False)
    else:
        outcome, more = _outcome(found, limit.at_least, limit.bound != "value", strictly=False)
    return Check(metric=metric, measure=found, wanted=wanted, outcome=outcome, needed=_of_all(
        more, found, measured))  # fmt: skip


def _above(
    metric: str,
    found: Measure | None,
    limit: float,
    bound: str,
    measured: Measured,
    why: str | None,
) -> Check:
    wanted = f"above {limit:.4f}" + (", lower bound" if bound == "lower" else "")
    if found is None or found.value != found.value:
        return _unmeasured(metric, wanted, why)
    outcome, more = _outcome(found, limit, bound == "lower", strictly=True)
    return Check(metric=metric, measure=found, wanted=wanted, outcome=outcome, needed=_of_all(
        more, found, measured))  # fmt: skip


def _unmeasured(metric: str, wanted: str, why: str | None) -> Check:
    return Check(
        metric=metric, wanted=wanted, outcome="undecided", note=why or "it could not be measured"
    )


def _outcome(
    found: Measure, limit: float, by_bound: bool, strictly: bool
) -> tuple[Literal["passed", "failed", "undecided"], int | None]:
    """What became of it, and how many images would decide, if that is known."""

    def reached(number: float) -> bool:
        # A share that is exactly the limit must not fail by rounding.
        return number > limit + 1e-12 if strictly else number >= limit - 1e-12

    if not reached(found.value):
        return "failed", None
    if not by_bound or reached(found.low):
        return "passed", None
    return "undecided", needed(found.value, found.low, limit, found.images)


def _of_all(more: int | None, found: Measure, measured: Measured) -> int | None:
    """Test images in all, where a metric goes by some of them only."""
    if more is None or not found.images:
        return None
    return -(-more * measured.images // found.images)


def _wanted(limit: AtLeast | AtMost) -> str:
    if isinstance(limit, AtMost):
        words, number = "at most", limit.at_most
    else:
        words, number = "at least", limit.at_least
    return f"{words} {number:.4f}" + ("" if limit.bound == "value" else f", {limit.bound} bound")


def _sentence(check: Check) -> str:
    if check.measure is None:
        return f"{check.metric}: {check.note}" if check.note else check.metric
    m = check.measure
    told = f"{check.metric} {m.value:.4f} ({m.low:.4f} to {m.high:.4f}) is to be {check.wanted}"
    return f"{told}: {check.note}" if check.note else told


def _how_many(undecided: Sequence[Check], images: int) -> str:
    known = [c.needed for c in undecided if c.needed is not None]
    if len(known) < len(undecided):
        return f"{images} test images are too few to decide, and how many would do is not known"
    return f"{images} test images are too few to decide: about {max(known)} are needed"
