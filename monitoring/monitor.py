"""Examines the traffic of a period: from answers, reviews and a reference to findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from judging.judgement import Measure
from judging.reference import Reference
from judging.statistics.intervals import clopper_pearson, effective_groups
from monitoring.accuracy import Reviewed, estimated, reviewed
from monitoring.drift import drift_tests, least_unlike
from monitoring.findings import (
    ClassShare,
    MonitorFindings,
    Outcome,
    Period,
    ReviewedAccuracy,
    Scores,
    Test,
)
from monitoring.sample import Sample, sample
from monitoring.settings import MonitorSettings
from traffic.rows import Answer, Review, StoredImage

_BINS = 30
_FEW_OF_REFERENCE = 10
"""Images of a reference below which nothing is said."""


class Recorded(NamedTuple):
    """What was recorded of a version in a period.

    Attributes:
        answers: Its answers, oldest first.
        images: The images that are kept, by digest.
        reviews: Decisions about these.
    """

    answers: Sequence[Answer]
    images: Mapping[str, StoredImage]
    reviews: Sequence[Review]


def examine(
    recorded: Recorded,
    reference: Reference,
    period: Period,
    settings: MonitorSettings,
    notes: Sequence[str] = (),
) -> MonitorFindings:
    """Return what monitoring finds.

    Args:
        recorded: What was recorded of the version in the period.
        reference: The images that the version, or the one that it was made of, was judged on.
        period: Whose answers these are.
        settings: When they count as drifted.
        notes: Notes that come first.
    """
    everything = sample(recorded.answers)
    told = reviewed(recorded.answers, recorded.images, recorded.reviews)
    invalid = sum(not one.valid for one in recorded.answers)
    new = ~np.isin(everything.predicted, np.union1d(reference.labels, reference.predicted))
    traffic = everything.only(~new)
    if period.judged_version != period.version and period.judged_version is not None:
        reference = _by_threshold_of(reference, traffic)
    findings = MonitorFindings(
        outcome="too_few",
        reasons=(),
        period=period,
        images=len(traffic.scores),
        invalid=invalid,
        embedded=int(traffic.embedded.sum()),
        reference_images=len(reference.labels),
        classes=_classes(reference, everything),
        reviewed=_reviewed(told),
        reference_unknown=_share(~reference.known, effective_groups(reference.groups)),
        reference_accuracy=_reference_accuracy(reference),
        not_estimated="there are too few images",
        notes=tuple(notes) + _new_classes(everything.predicted[new]),
    )
    if not len(traffic.scores) or len(reference.labels) < _FEW_OF_REFERENCE:
        return findings.model_copy(update={"reasons": _too_few(findings, settings)})
    tests = drift_tests(reference, traffic, settings)
    outcome, reasons = _verdict(findings, tests, settings)
    estimate, why_not = _estimate(outcome, reference, traffic)
    return findings.model_copy(
        update={
            "outcome": outcome,
            "reasons": reasons,
            "tests": tuple(tests),
            "unknown": _share(~traffic.known, len(traffic.known)),
            "scores": _histograms(reference.scores, traffic.scores),
            "estimated_accuracy": estimate,
            "not_estimated": why_not,
            "notes": (*findings.notes, *_limits(findings, tests, told)),
        }
    )


def _by_threshold_of(reference: Reference, traffic: Sample) -> Reference:
    """Return the reference as known and unknown by the threshold that the traffic shows.

    `siamese threshold` may have changed it since the reference was judged.
    """
    unknown, known = traffic.scores[~traffic.known], traffic.scores[traffic.known]
    if not len(unknown) or (len(known) and unknown.max() > known.min()):
        return reference
    return reference._replace(known=reference.scores > unknown.max())


def _verdict(
    findings: MonitorFindings, tests: Sequence[Test], settings: MonitorSettings
) -> tuple[Outcome, tuple[str, ...]]:
    if alarms := [one for one in tests if one.drifted]:
        return "drifted", tuple(f"{one.text} (p = {one.p_value:.2g})" for one in alarms)
    if findings.images < settings.min_images:
        return "too_few", _too_few(findings, settings)
    return "fine", (
        f"no difference to the {findings.reference_images} judged images that is significant and "
        "large enough",
    )


def _too_few(findings: MonitorFindings, settings: MonitorSettings) -> tuple[str, ...]:
    if findings.images < settings.min_images:
        version = findings.period.version
        what = "no image was" if not findings.images else f"only {findings.images} images were"
        of = f" of version {version}" if version is not None else ""
        return (f"{what} asked{of} in the period; monitor.min_images is {settings.min_images}",)
    return (
        f"the model was judged on {findings.reference_images} images, and a comparison needs "
        f"{_FEW_OF_REFERENCE}",
    )


def _estimate(
    outcome: Outcome, reference: Reference, traffic: Sample
) -> tuple[Measure | None, str]:
    """Return the estimated accuracy, or why there is none."""
    if outcome == "drifted":
        return None, (
            "the traffic has drifted, so that margins need not mean what they meant on the judged "
            "images; only reviewed images tell"
        )
    if outcome == "too_few":
        return None, "there are too few images to tell whether they are like the judged ones"
    found = estimated(reference, traffic)
    return found, "" if found else "no margins of known images are recorded"


def _limits(findings: MonitorFindings, tests: Sequence[Test], told: Reviewed) -> Iterator[str]:
    """Yield what the findings cannot tell."""
    names = {one.name for one in tests}
    level = next(one.level for one in tests if one.name == "unknown")
    least = least_unlike(findings.reference_images, findings.images, level)
    if least > 1:
        yield (
            f"with {findings.images} images and a reference of {findings.reference_images}, fewer "
            f"than {least} images of a new kind cannot be told from chance"
        )
    if not findings.embedded:
        yield "no embeddings are recorded (traffic.embeddings), so a shift is seen by scores alone"
    elif "embeddings" not in names:
        yield "the embeddings cannot be compared with those of the judged images"
    if told.accuracy and told.accuracy.images < told.random:
        yield (
            f"{told.accuracy.images} of the {told.random} images that were kept at random are "
            "reviewed; the accuracy is unbiased if they were reviewed in the queue's order"
        )


def _new_classes(predicted: np.ndarray) -> tuple[str, ...]:
    if not len(predicted):
        return ()
    names = ", ".join(repr(label) for label in np.unique(predicted).tolist())
    return (
        f"{len(predicted)} images are classified as {names}, which the model was not judged on; "
        "they are left out",
    )


def _classes(reference: Reference, traffic: Sample) -> tuple[ClassShare, ...]:
    ours, theirs = (Counter(one.predicted.tolist()) for one in (traffic, reference))
    m, n = max(1, len(traffic.predicted)), max(1, len(reference.predicted))
    judged = set(reference.labels.tolist()) | set(theirs)
    shares = [
        ClassShare(
            label=label,
            traffic=ours[label] / m,
            reference=theirs[label] / n if label in judged else None,
        )
        for label in set(ours) | judged
    ]
    return tuple(sorted(shares, key=lambda one: (-one.traffic, one.label)))


def _histograms(reference: np.ndarray, traffic: np.ndarray) -> Scores:
    edges = np.histogram_bin_edges(np.concatenate([reference, traffic]), _BINS)
    ours, theirs = (np.histogram(one, edges)[0].tolist() for one in (traffic, reference))
    return Scores(edges=tuple(edges.tolist()), reference=tuple(theirs), traffic=tuple(ours))


def _reference_accuracy(reference: Reference) -> Measure | None:
    judged = reference.only(reference.known)
    if not len(judged.labels):
        return None
    return _share(judged.labels == judged.predicted, effective_groups(judged.groups))


def _share(hits: np.ndarray, trials: float) -> Measure | None:
    """Return the share of hits, bool [n], with its exact interval; None without images."""
    if not len(hits):
        return None
    low, high = clopper_pearson(float(hits.mean()), trials)
    return Measure(value=float(hits.mean()), low=low, high=high, images=len(hits))


def _reviewed(found: Reviewed) -> ReviewedAccuracy:
    return ReviewedAccuracy(**found._asdict())
