"""The first screen in sentences: the numbers that matter, and what to worry about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from components.image_example_gen.report import IngestionReport
from images.audit.findings import Audit
from judging.gate import LAST_BLESSED, PRETRAINED_ENCODER, RAW_PIXELS
from judging.judgement import Check, ClassResult, Compared, Judgement
from judging.metric_names import metric_name
from judging.number_text import (
    change_interval,
    change_text,
    is_difference,
    is_points,
    metric_interval,
    metric_text,
    number,
    percent,
    percent_interval,
    points,
)

_FEW_IMAGES, _FEW_OF_A_CLASS = 30, 5
_ACCEPTED_UNKNOWN = 0.1
"""Share of unknown images accepted as a known class from which on it is a worry."""
_NAMED = 3

SHORTCUTS = ("shortcut", "aspect_ratio", "appearance")
"""Kinds of the audit's findings that tell classes apart without being content."""

_REFERENCES = {
    RAW_PIXELS: "raw pixels, without any training",
    PRETRAINED_ENCODER: "the pretrained encoder, before training",
}


class Fact(NamedTuple):
    """A number and the rest of its sentence: `95.0 %`, `of 80 test images classified correctly`."""

    figure: str
    text: str


class Worry(NamedTuple):
    """A sentence, and the id of the section that shows more."""

    text: str
    section: str


def facts(judgement: Judgement) -> list[Fact]:
    """Return the two or three numbers that matter."""
    found = []
    if accuracy := judgement.metrics.get("class_accuracy"):
        interval = percent_interval(accuracy)
        found.append(
            Fact(
                percent(accuracy.value, accuracy.images),
                f"of {accuracy.images} test images classified correctly (95 % interval {interval})",
            )
        )
        found += _worst_class(judgement.classes)
    elif auc := judgement.metrics.get("auc"):
        low, high = number(auc.low), number(auc.high)
        text = f"{metric_name('auc')} of {auc.images} test images (95 % interval {low} to {high})"
        found.append(Fact(number(auc.value), text))
    best = max(_references(judgement), key=lambda one: one[1], default=None)
    if best:
        name, value, images = best
        found.append(Fact(percent(value, images), f"correct by {_REFERENCES[name]}"))
    return found


def reasons(told: Sequence[str], checks: Sequence[Check]) -> list[str]:
    """Return the reasons of a verdict, those that are checks with the metrics' names.

    Args:
        told: The verdict's reasons.
        checks: Its checks.
    """
    by_sentence = {check.sentence: check for check in checks}
    return [_reason(by_sentence[reason]) if reason in by_sentence else reason for reason in told]


def _reason(check: Check) -> str:
    found = metric_name(check.metric)
    if check.measure:
        measure = check.measure
        value = metric_text(check.metric, measure.value, measure.images)
        interval = metric_interval(check.metric, measure)
        if is_difference(check.metric):
            value = change_text(check.metric, measure.value, measure.images)
            value += " points" if is_points(check.metric) else ""
            interval = change_interval(check.metric, measure)
        found += f" {value} ({interval}), required {check.required}"
    return f"{found}: {check.note}" if check.note else found


def worries(
    judgement: Judgement | None, audit: Audit | None, data: IngestionReport | None
) -> list[Worry]:
    """Return what a reader should know before trusting the model, the most important first."""
    found: list[Worry] = []
    if judgement:
        found += [*_few(judgement), *_lost(judgement), *_classes(judgement), *_unknown(judgement)]
    if audit:
        found += _audited(audit)
    if judgement:
        found += _images(judgement)
    if data and data.excluded:
        what = _count(len(data.excluded), "file was", "files were")
        found.append(Worry(f"{what} excluded of {data.files}", "excluded"))
    return found


def _worst_class(classes: Sequence[ClassResult]) -> Iterator[Fact]:
    worst = min(classes, key=lambda c: (c.recall.value, c.images, c.label), default=None)
    if worst is None:
        return
    correct = f"{_correct(worst)} of {worst.images}"
    if _correct(worst) == worst.images:
        yield Fact(f"{len(classes)} of {len(classes)}", "classes without an error")
    else:
        yield Fact(correct, f"test images of class {worst.label}, the worst, classified correctly")


def _few(judgement: Judgement) -> Iterator[Worry]:
    accuracy = judgement.metrics.get("class_accuracy")
    if judgement.images < _FEW_IMAGES:
        text = f"Only {_count(judgement.images, 'test image', 'test images')}"
        if accuracy:
            text += f": the true accuracy may be anything from {percent_interval(accuracy)}"
        yield Worry(text, "metrics")
    few = [one for one in judgement.classes if one.images < _FEW_OF_A_CLASS]
    if few:
        have = "class has" if len(few) == 1 else "classes have"
        yield Worry(
            f"{len(few)} of {len(judgement.classes)} {have} fewer than {_FEW_OF_A_CLASS} test "
            "images, so that one error decides",
            "classes",
        )


def _lost(judgement: Judgement) -> Iterator[Worry]:
    own = judgement.metrics.get("class_accuracy")
    for name, value, images in _references(judgement):
        # Where both are perfect, there is nothing to gain.
        if own and value >= own.value and own.value < 1:
            how = "as well as" if value == own.value else "better than"
            yield Worry(
                f"{_upper(_REFERENCES[name])}, {percent(value, images)} correct: {how} this model, "
                f"{percent(own.value, own.images)}",
                "compared",
            )
    before = judgement.compared.get(LAST_BLESSED)
    change = before and before.differences.get("class_accuracy")
    if before and change and change.value < 0:
        less = points(change.value, change.images).lstrip("-")
        yield Worry(
            f"{less} points fewer test images correct than by the {LAST_BLESSED}", "compared"
        )


def _classes(judgement: Judgement) -> Iterator[Worry]:
    never = [one for one in judgement.classes if one.images and one.recall.value == 0]
    if never:
        names = ", ".join(f"{one.label} (0 of {one.images})" for one in never[:_NAMED])
        more = f" and {len(never) - _NAMED} more" if len(never) > _NAMED else ""
        word = "Class" if len(never) == 1 else "Classes"
        yield Worry(f"{word} never recognized: {names}{more}", "confusion")


def _unknown(judgement: Judgement) -> Iterator[Worry]:
    known = judgement.thresholds.get("known")
    if known and known.false_accepts.value > _ACCEPTED_UNKNOWN:
        share = percent(known.false_accepts.value, known.false_accepts.images)
        yield Worry(f"{share} of unknown images are accepted as one of the classes", "known")


def _audited(audit: Audit) -> Iterator[Worry]:
    warnings = [one for one in audit.findings if one.grade == "warning"]
    for finding in warnings:
        if finding.kind in SHORTCUTS:
            yield Worry(f"Shortcut suspected: {finding.text}", "audit")
    if others := [one for one in warnings if one.kind not in SHORTCUTS]:
        yield Worry(
            f"The audit of the images warns: {others[0].text}"
            + (f"; and {len(others) - 1} more" if len(others) > 1 else ""),
            "audit",
        )


def _images(judgement: Judgement) -> Iterator[Worry]:
    if n := len(judgement.suspects):
        yield Worry(f"{_count(n, 'test image', 'test images')} may be mislabelled", "suspects")
    if n := len(judgement.invalid):
        what = _count(n, "file was", "files were")
        yield Worry(f"{what} not used to judge the model", "excluded")
    for limit in judgement.limits:
        yield Worry(_upper(limit), "metrics")


def _references(judgement: Judgement) -> Iterator[tuple[str, float, int]]:
    """Yield name, class accuracy and images of each reference method that was judged."""
    for name in _REFERENCES:
        other: Compared | None = judgement.compared.get(name)
        measure = other.metrics.get("class_accuracy") if other else None
        if measure:
            yield name, measure.value, measure.images


def _correct(one: ClassResult) -> int:
    return round(one.recall.value * one.images)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
