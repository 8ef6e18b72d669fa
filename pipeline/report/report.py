"""Writes `report.html` and `MODEL_CARD.md` from the same numbers.

The templates get one context; whatever it holds of users' texts (class names, file names,
messages) is escaped by the templates' environments, not by the one who writes a line of them.
"""

from __future__ import annotations

import math
import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from base.printable import printable
from components.image_example_gen.report import IngestionReport
from judging.judgement import Judgement, Measure, Picture
from judging.settings import Thresholds
from pipeline.config.reading import dump
from pipeline.config.run_config import RunConfig
from pipeline.report import figures
from pipeline.report.pictures import Thumbnail, thumbnails
from pipeline.runs.history import Run
from pipeline.runs.outcome import CheckOutcome, ComponentOutcome, Outcome
from pipeline.runs.summary import Summary
from records import features

REPORT, MODEL_CARD = "report.html", "MODEL_CARD.md"

# What bounds the page's size, whatever the data: it stays below 4 MB.
MOST_CLASSES_IN_MATRIX = 30
MOST_CLASSES = 1000
MOST_CONFUSED = 30
MOST_EXAMPLES = 20
MOST_FILES = 200
_FIRST_CLASSES = 20
"""Classes that are shown at once; the others unfold."""
_LONGEST = 600
"""Characters of a name."""

_PACKAGES = (
    "siamese-tfx", "tfx", "tensorflow", "keras", "apache-beam", "tensorflow-transform",
    "tensorflow-model-analysis", "ml-metadata", "numpy", "opencv-python-headless", "pillow",
)  # fmt: skip


class Findings(NamedTuple):
    """What there is to report; any part may be missing.

    Attributes:
        name: Of the pipeline, or of the model that was judged by itself.
        summary: Of a run.
        judgement: Of a model.
        config: Of a run.
        support_root: Folder that the files of support images are below, where the judged examples
            do not hold these; empty: not known, and they are not shown.
    """

    name: str
    summary: Summary | None = None
    judgement: Judgement | None = None
    config: RunConfig | None = None
    support_root: str = ""


def write_report(folder: Path, findings: Findings) -> Path:
    """Write `report.html` and `MODEL_CARD.md` (where a model was judged) into a folder.

    The page needs nothing but itself: no network, no script, no other file.

    Args:
        folder: Where to; a run's folder.
        findings: What to report.

    Returns:
        The page's path.
    """
    context = _context(findings)
    page = folder / REPORT
    _write(page, _html().get_template("page.html.j2").render(context))
    if findings.judgement:
        _write(folder / MODEL_CARD, _markdown().get_template("model_card.md.j2").render(context))
    return page


def _write(path: Path, text: str) -> None:
    # Renamed at the end, so that who opens it never sees half of it.
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")
    os.replace(unfinished, path)


# --- the context --------------------------------------------------------------------------------


def _context(findings: Findings) -> dict[str, Any]:
    summary, judgement = findings.summary, findings.judgement
    run = summary.run if summary else None
    context: dict[str, Any] = {
        "name": findings.name,
        "made": datetime.now(timezone.utc),
        "summary": summary,
        "run": run,
        "judgement": judgement,
        "outcome": _outcome(summary, judgement),
        "reasons": (summary and summary.reasons) or (judgement and judgement.verdict.reasons) or (),
        "described": _described(),
        "training": summary.training if summary else None,
        "curves": figures.learning_curves(summary.training or {}) if summary else [],
        "data": _data(summary.data) if summary and summary.data else None,
        "config": findings.config,
        "config_lines": dump(findings.config).splitlines() if findings.config else [],
        "versions": _versions(),
        "lineage": _lineage(run) if run else [],
        "most_files": MOST_FILES,
    }
    if judgement:
        context |= _judged(judgement, findings.support_root)
    return context


def _outcome(summary: Summary | None, judgement: Judgement | None) -> Outcome | None:
    """Return the outcome of the run, else of the judgement; None if nothing was judged."""
    if summary and summary.failure:
        return Outcome.FAILED
    # The run's may differ from the Judge's: a model that cannot be served is not blessed.
    found = (summary and summary.outcome) or (judgement and judgement.verdict.outcome)
    return Outcome(found) if found else None


def _described() -> dict[str, str]:
    """What each metric is, in a sentence; as the configuration's reference says it."""
    return {
        name: (field.description or "").rstrip(".")
        for name, field in Thresholds.model_fields.items()
    }


def _judged(judgement: Judgement, support_root: str) -> dict[str, Any]:
    classes = sorted(
        judgement.classes, key=lambda c: (c.recall.value, c.recall.low, c.label)
    )[:MOST_CLASSES]  # fmt: skip
    shown = {
        "mistakes": judgement.mistakes[:MOST_EXAMPLES],
        "hard_pairs": judgement.hard_pairs[:MOST_EXAMPLES],
        "suspects": judgement.suspects[:MOST_EXAMPLES],
    }
    return {
        **shown,
        "first_classes": classes[:_FIRST_CLASSES],
        "other_classes": classes[_FIRST_CLASSES:],
        "classes_left_out": len(judgement.classes) - len(classes),
        "matrix": _matrix(judgement),
        "confused": _confused(judgement),
        "others": {n: one for n, one in judgement.compared.items() if one.differences},
        "recognition": _recognition(judgement),
        "thumbnails": _thumbnails(judgement, shown, support_root),
        "unjudged": list(judgement.invalid.items())[:MOST_FILES],
    }


class Matrix(NamedTuple):
    """A confusion matrix.

    Attributes:
        labels: Of rows and columns both.
        rows: Of each class, its images and their number under each column.
    """

    labels: Sequence[str]
    rows: Sequence[tuple[str, int, Sequence[int]]]


def _matrix(judgement: Judgement) -> Matrix | None:
    """None where it would be too large to be read."""
    labels = sorted({x for cell in judgement.confusion for x in (cell.truth, cell.predicted)})
    if not labels or len(labels) > MOST_CLASSES_IN_MATRIX:
        return None
    cells = {(c.truth, c.predicted): c.images for c in judgement.confusion}
    rows = []
    for truth in labels:
        counts = [cells.get((truth, predicted), 0) for predicted in labels]
        if sum(counts):
            rows.append((truth, sum(counts), counts))
    return Matrix(labels, rows)


def _confused(judgement: Judgement) -> list[tuple[str, str, int, int]]:
    """The most frequent confusions: truth, answer, their images, and all images of the class."""
    sizes: dict[str, int] = {}
    for cell in judgement.confusion:
        sizes[cell.truth] = sizes.get(cell.truth, 0) + cell.images
    wrong = [c for c in judgement.confusion if c.truth != c.predicted]
    wrong.sort(key=lambda c: (-c.images, -c.images / sizes[c.truth], c.truth, c.predicted))
    return [(c.truth, c.predicted, c.images, sizes[c.truth]) for c in wrong[:MOST_CONFUSED]]


class Recognition(NamedTuple):
    """One of the model's two thresholds, with its figures and their words."""

    name: str
    title: str
    positives: str
    negatives: str
    yes: str
    metrics: Sequence[str]
    roc: Markup
    histogram: Markup


def _recognition(judgement: Judgement) -> list[Recognition]:
    found = []
    for name, title, positives, negatives, yes, metrics in _KINDS:
        curve, threshold = judgement.curves.get(name), judgement.thresholds.get(name)
        if curve and threshold:
            found.append(Recognition(
                name, title, positives, negatives, yes, metrics,
                figures.roc(curve, threshold, yes, negatives, positives),
                figures.histogram(curve, threshold, positives, negatives),
            ))  # fmt: skip
    return found


_KINDS = (
    ("same", "Pairs: same or different", "same pairs", "different pairs", "called the same",
     ("auc", "accuracy", "precision", "recall", "equal_error_rate")),
    ("known", "Images: known or unknown", "known images", "unknown images", "called known",
     ("open_set_auc", "open_set_accuracy")),
)  # fmt: skip


def _thumbnails(
    judgement: Judgement, shown: Mapping[str, Sequence[Any]], support_root: str
) -> dict[Picture, Thumbnail]:
    pictures: list[Picture] = []
    for mistake in shown["mistakes"]:
        pictures += [mistake.image, mistake.nearest]
    for pair in shown["hard_pairs"]:
        pictures += [pair.left, pair.right]
    for suspect in shown["suspects"]:
        pictures += [suspect.image, *suspect.neighbours]
    return thumbnails(pictures, judgement.examples, judgement.root, support_root)


class Data(NamedTuple):
    """The images, class by class and in all, by split."""

    ingestion: IngestionReport
    splits: Sequence[str]
    totals: Sequence[int]
    classes: Sequence[tuple[str, Sequence[int]]]
    left_out: int


def _data(ingestion: IngestionReport) -> Data:
    counts = [
        (label, [of_class.get(split, 0) for split in features.SPLITS])
        for label, of_class in ingestion.classes.items()
    ]
    totals = [sum(column) for column in zip(*(row for _, row in counts), strict=True)]
    return Data(
        ingestion, features.SPLITS, totals or [0] * len(features.SPLITS), counts[:MOST_CLASSES],
        max(0, len(counts) - MOST_CLASSES),
    )  # fmt: skip


def _versions() -> list[tuple[str, str]]:
    """Of what made the report: where a run ends with it, of what ran."""
    found = [("Python", platform.python_version()), ("System", platform.platform())]
    for name in _PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return found


class Step(NamedTuple):
    """A component of a run, what it was given, and what it made.

    Attributes:
        id: The component's.
        outcome: `done`, `cached`, `failed` or `unfinished`.
        seconds: It took; None where it has not ended.
        inputs: Outputs of other components ("PairGen.pairs"), or URIs from elsewhere.
        outputs: Name, id in ML Metadata and URI of each.
    """

    id: str
    outcome: str
    seconds: float | None
    inputs: Sequence[str]
    outputs: Sequence[tuple[str, int | None, str]]


def _lineage(run: Run) -> list[Step]:
    made = {
        artifact.uri: f"{component.id}.{name}"
        for component in run.components
        if component.id != "latest_blessed_model"  # which passes on what another has made
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


# --- the environments ---------------------------------------------------------------------------


@cache
def _html() -> Environment:
    return _environment(autoescape=True, finalize=_html_text)


@cache
def _markdown() -> Environment:
    # Escaped by `finalize`: what is inserted is text, whatever it looks like.
    return _environment(autoescape=False, finalize=_markdown_text)


def _environment(**options: Any) -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline.report", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **options,
    )
    environment.globals["marks"] = {o.value: o for o in (*ComponentOutcome, *CheckOutcome)}
    environment.filters |= {
        "number": _number,
        "signed": lambda value: f"{value:+.4f}",
        "interval": _interval,
        "percent": _percent,
        "nearby": lambda path: path.removeprefix(f"{os.getcwd()}/"),
    }
    return environment


def _html_text(value: Any) -> Any:
    # Control characters, those that turn the writing's direction too, have no place in a page.
    return _short(printable(value)) if type(value) is str else value


def _markdown_text(value: Any) -> Any:
    if type(value) is not str:
        return value
    text = _short(printable(value))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]#|~!])", r"\\\1", text)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _number(value: float | None) -> str:
    """Four digits after the point, as everywhere; what is no number is said so."""
    return "undefined" if value is None or not math.isfinite(value) else f"{value:.4f}"


def _interval(measure: Measure) -> str:
    return f"{_number(measure.low)} to {_number(measure.high)}"


def _percent(value: float) -> str:
    """A place between 0 and 1, for the style sheet."""
    return f"{min(1.0, max(0.0, value)) * 100 if math.isfinite(value) else 0.0:.1f}%"
