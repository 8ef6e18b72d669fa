"""What the sections of the report show: parts of a judgement, an ingestion report and a run."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Any, NamedTuple

from markupsafe import Markup

from components.image_example_gen.report import IngestionReport
from images.audit.findings import Audit, Example, Finding
from judging.judgement import Check, Judgement, Measure, Picture
from judging.metric_names import metric_name
from pipeline.report import figures
from pipeline.report.confusion_figure import confusion_figure
from pipeline.report.pictures import Thumbnail, thumbnails
from pipeline.report.rendering import scale
from pipeline.report.tradeoff import Tradeoff, tradeoff
from pipeline.runs.history import Run
from pipeline.runs.summary import Summary

# Limits that keep the page below 4 MB, whatever the data.
MAX_CLASSES_IN_MATRIX = 30
MAX_CLASSES = 1000
MAX_CONFUSIONS = 30
MAX_EXAMPLES = 20
MAX_FILES = 200
MAX_AUDITED = 8
MAX_NEIGHBOURS = 5
MAX_RUNS = 10
_MAX_CLASSES_AT_A_GLANCE = 12
_FIRST_CLASSES = 20
"""Classes shown at once; the others unfold."""

_PACKAGES = (
    "siamese-tfx", "tfx", "tensorflow", "keras", "apache-beam", "tensorflow-transform",
    "tensorflow-model-analysis", "ml-metadata", "numpy", "opencv-python-headless", "pillow",
)  # fmt: skip


def judged(judgement: Judgement, support_root: str) -> dict[str, Any]:
    """Return the template variables of a judged model."""
    classes = sorted(judgement.classes, key=lambda c: (c.recall.value, c.recall.low, c.label))
    classes = classes[:MAX_CLASSES]
    errors = judgement.mistakes[:MAX_EXAMPLES]
    hard_pairs = judgement.hard_pairs[:MAX_EXAMPLES]
    suspects = judgement.suspects[:MAX_EXAMPLES]
    pictures: list[Picture] = [
        *(picture for error in errors for picture in (error.image, error.nearest)),
        *(picture for pair in hard_pairs for picture in (pair.left, pair.right)),
        *(picture for one in suspects for picture in (one.image, *one.neighbours)),
    ]
    return {
        "errors": errors,
        "hard_pairs": hard_pairs,
        "suspects": suspects,
        "thumbnails": thumbnails(pictures, judgement.examples, judgement.root, support_root),
        **results(judgement),
        "scale": scale(m for key, m in judgement.metrics.items() if key != "equal_error_rate"),
        "class_scale": scale(one.recall for one in classes),
        "glance": _glance(judgement),
        "first_classes": classes[:_FIRST_CLASSES],
        "other_classes": classes[_FIRST_CLASSES:],
        "classes_left_out": len(judgement.classes) - len(classes),
        "matrix": confusion_matrix(judgement),
        "confused": confusions(judgement),
        "decisions": list(decisions(judgement)),
        "others": {n: one for n, one in judgement.compared.items() if one.differences},
        "compared_metrics": {m for one in judgement.compared.values() for m in one.differences},
        "unjudged": list(judgement.invalid.items())[:MAX_FILES],
    }


class Result(NamedTuple):
    """A metric.

    Attributes:
        key: As in the configuration.
        measure: What was measured; None if it could not be.
        missing: Why it could not be measured.
        check: Its threshold and outcome; None if none is set.
    """

    key: str
    measure: Measure | None
    missing: str
    check: Check | None


def results(judgement: Judgement) -> dict[str, Any]:
    """Return `results`, metrics with a threshold first, and `other_checks`."""
    checks = {check.metric: check for check in judgement.verdict.checks}
    keys = [*judgement.metrics, *judgement.missing]
    keys.sort(key=lambda key: key not in checks)
    rows = [
        Result(key, judgement.metrics.get(key), judgement.missing.get(key, ""), checks.get(key))
        for key in keys
    ]
    others = [check for key, check in checks.items() if key not in keys]
    return {"results": rows, "other_checks": others}


class Matrix(NamedTuple):
    """A confusion matrix.

    Attributes:
        labels: Of rows and columns.
        rows: For each true class its label, its number of images, and the counts by column.
    """

    labels: Sequence[str]
    rows: Sequence[tuple[str, int, Sequence[int]]]


def confusion_matrix(judgement: Judgement) -> Matrix | None:
    """Return the confusion matrix; None if it is empty or too large to read."""
    labels = sorted({x for cell in judgement.confusion for x in (cell.truth, cell.predicted)})
    if not labels or len(labels) > MAX_CLASSES_IN_MATRIX:
        return None
    cells = {(c.truth, c.predicted): c.images for c in judgement.confusion}
    rows = []
    for truth in labels:
        counts = [cells.get((truth, predicted), 0) for predicted in labels]
        if sum(counts):
            rows.append((truth, sum(counts), counts))
    return Matrix(labels, rows)


def _glance(judgement: Judgement) -> Markup | None:
    matrix = confusion_matrix(judgement)
    if matrix is None or len(matrix.labels) > _MAX_CLASSES_AT_A_GLANCE:
        return None
    rows = [(truth, counts) for truth, _, counts in matrix.rows]
    return confusion_figure(matrix.labels, rows)


def confusions(judgement: Judgement) -> list[tuple[str, str, int, int]]:
    """Return the most frequent confusions: true class, predicted class, images, of how many."""
    sizes: dict[str, int] = {}
    for cell in judgement.confusion:
        sizes[cell.truth] = sizes.get(cell.truth, 0) + cell.images
    wrong = [c for c in judgement.confusion if c.truth != c.predicted]
    wrong.sort(key=lambda c: (-c.images, -c.images / sizes[c.truth], c.truth, c.predicted))
    return [(c.truth, c.predicted, c.images, sizes[c.truth]) for c in wrong[:MAX_CONFUSIONS]]


class Decision(NamedTuple):
    """A yes-or-no decision that the model makes by a threshold, with its figures and its words."""

    name: str
    title: str
    positives: str
    negatives: str
    yes: str
    metrics: Sequence[str]
    roc: Markup
    histogram: Markup
    tradeoff: Tradeoff


def decisions(judgement: Judgement) -> Iterator[Decision]:
    """Yield the decisions that were measured: same or different, known or unknown."""
    for name, title, positives, negatives, yes, metrics in _DECISIONS:
        curve, threshold = judgement.curves.get(name), judgement.thresholds.get(name)
        if curve and threshold:
            roc = figures.roc(curve, threshold, yes, negatives, positives)
            histogram = figures.histogram(curve, threshold, positives, negatives)
            costs = tradeoff(curve, threshold)
            yield Decision(name, title, positives, negatives, yes, metrics, roc, histogram, costs)


_DECISIONS = (
    ("same", "Pairs: same or different", "same pairs", "different pairs", "classified as same",
     ("auc", "accuracy", "precision", "recall", "equal_error_rate")),
    ("known", "Images: known or unknown", "known images", "unknown images", "classified as known",
     ("open_set_auc", "open_set_accuracy")),
)  # fmt: skip


class Audited(NamedTuple):
    """An audit and its pictures.

    Attributes:
        audit: The audit.
        findings: Each finding with its examples: the file, and the files it is compared with.
        thumbnails: Of all of these.
    """

    audit: Audit
    findings: Sequence[tuple[Finding, Sequence[tuple[Example, Picture, Sequence[Picture]]]]]
    thumbnails: dict[Picture, Thumbnail]


def audited(audit: Audit) -> Audited:
    """Return the findings of an audit, with pictures of the worst examples."""
    findings, pictures = [], []
    for finding in audit.findings:
        examples = []
        for one in finding.examples[:MAX_AUDITED]:
            others = zip(one.others[:MAX_NEIGHBOURS], one.other_labels, strict=False)
            shown = [Picture(id="", source=path, label=label) for path, label in others]
            picture = Picture(id="", source=one.path, label=one.label)
            examples.append((one, picture, shown))
            pictures += [picture, *shown]
        findings.append((finding, examples))
    return Audited(audit, findings, thumbnails(pictures, support_root=audit.root))


class Data(NamedTuple):
    """Numbers of images by split, in total and by class."""

    ingestion: IngestionReport
    splits: Sequence[str]
    totals: Sequence[int]
    classes: Sequence[tuple[str, Sequence[int]]]
    left_out: int


def data(ingestion: IngestionReport) -> Data:
    """Return the numbers of images of an ingestion report."""
    splits = ingestion.splits
    counts = [
        (label, [of_class.get(split, 0) for split in splits])
        for label, of_class in ingestion.classes.items()
    ]
    totals = [sum(column) for column in zip(*(row for _, row in counts), strict=True)]
    return Data(
        ingestion, splits, totals or [0] * len(splits), counts[:MAX_CLASSES],
        max(0, len(counts) - MAX_CLASSES),
    )  # fmt: skip


class Trend(NamedTuple):
    """Metrics of the last judged runs, the latest last.

    Attributes:
        runs: Their summaries.
        metrics: Those that are shown.
        figures: Title and figure of each.
    """

    runs: Sequence[Summary]
    metrics: Sequence[str]
    figures: Sequence[tuple[str, Markup]]


def trend(runs: Sequence[Summary]) -> Trend | None:
    """Return the trend of runs, the latest last; None with fewer than two judged ones."""
    judged = [run for run in runs if run.metrics][-MAX_RUNS:]
    metrics = [m for m in _TREND if any(m in run.metrics for run in judged)]
    if len(judged) < 2 or not metrics:
        return None
    drawn = [(m, [run.metrics.get(m) for run in judged]) for m in metrics]
    return Trend(
        judged,
        metrics,
        [(metric_name(m), figures.trend(metric_name(m), of)) for m, of in drawn if _any(of)],
    )


def _any(measures: Sequence[Measure | None]) -> bool:
    return any(m and math.isfinite(m.value) for m in measures)


_TREND = ("class_accuracy", "worst_class_recall", "auc")


def versions() -> list[tuple[str, str]]:
    """Return name and version of the software in this environment."""
    found = [("Python", platform.python_version()), ("System", platform.platform())]
    for name in _PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return found


class Step(NamedTuple):
    """A component of a run with its inputs and outputs.

    Attributes:
        id: The component's id.
        outcome: `done`, `cached`, `failed` or `unfinished`.
        seconds: Duration; None if it did not end.
        inputs: Outputs of other components ("PairGen.pairs"), or URIs from elsewhere.
        outputs: Name, ML Metadata id and URI of each.
    """

    id: str
    outcome: str
    seconds: float | None
    inputs: Sequence[str]
    outputs: Sequence[tuple[str, int | None, str]]


def lineage(run: Run) -> list[Step]:
    """Return the components of a run in order."""
    made = {
        artifact.uri: f"{component.id}.{name}"
        for component in run.components
        if component.id != "latest_blessed_model"  # it passes on another's output
        for name, artifact in component.outputs.items()
    }
    return [
        Step(
            one.id,
            one.outcome,
            one.seconds,
            sorted({made.get(uri, uri) for uris in one.inputs.values() for uri in uris}),
            [(name, artifact.id, artifact.uri) for name, artifact in one.outputs.items()],
        )
        for one in run.components
    ]
