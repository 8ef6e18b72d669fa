"""What a run may have found, made up."""

from datetime import datetime, timezone

import numpy as np
from judge_views import held_out

from components.image_example_gen.report import ExcludedFile, IngestionReport
from judging.judge import judge
from judging.settings import JudgeSettings, Thresholds
from pipeline.report import rendering
from pipeline.runs.history import Artifact, Component, Run
from pipeline.runs.summary import Summary


def judged(*args, **settings):
    return judged_with_outcomes(*args, **settings)[0]


def judged_with_outcomes(spread=0.4, thresholds=None, trained_on=None, **settings):
    """The judgement, and the outcomes of its images."""
    images, view = held_out(classes=4, each=10, spread=spread)
    before = held_out(classes=4, each=10, spread=spread * 1.2, seed=5)[1]
    found = judge(
        images,
        view,
        {"last blessed model": before._replace(trained_on=trained_on)},
        np.roll(images.labels, 3),
        Thresholds.model_validate(thresholds or {"auc": 0.5, "worst_class_recall": 0.99}),
        JudgeSettings(**settings),
    )
    return found.judgement, list(found.outcomes)


def summary(judgement=None, **values):
    uri = "/place/{}".format
    run = Run(
        id="run-7",
        components=[
            Component(id="ImageExampleGen", outcome="cached", seconds=1,
                      outputs={"examples": Artifact(uri=uri("examples"), id=1)}),
            Component(id="Trainer", outcome="done", seconds=61.25,
                      inputs={"examples": [uri("examples")], "base": [uri("elsewhere")]},
                      outputs={"model": Artifact(uri=uri("model"), id=2)}),
        ],
    )  # fmt: skip
    found = {
        "name": "parts",
        "started": datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc),
        "run": run,
        "data": IngestionReport(
            root="data", files=63, reencoded=2, expected_classes=["c0", "c1"],
            classes={"c0": {"train": 20, "validation": 6, "test": 5},
                     "c1": {"train": 19, "validation": 6, "test": 5}},
            excluded=[ExcludedFile(path="c0/broken.png", reason="is cut off or damaged"),
                       ExcludedFile(path="c0/empty.png", reason="is empty")],
            near_duplicates=[["c1/1.png", "c1/2.png"]],
        ),
        "pairs": {"train": {"pairs": 4321}, "validation": {"pairs": 48}, "test": {"pairs": 96}},
        "training": {
            "history": {"loss": [2.0, 1.0, 0.5], "auc": [0.6, 0.8, 0.9],
                        "val_auc": [0.6, 0.7, 0.8], "val_accuracy": [0.3, 0.6, 0.5]},
            "best_epoch": 2, "epochs": 3, "seconds": 12.3, "parameters": 1234567,
            "reference_methods": {"raw pixels": 0.25}, "hyperparameters": {"margin": 0.75},
        },
        "verdict": judgement and judgement.verdict,
        "metrics": judgement.metrics if judgement else {},
        "serving_root": "serving",
    }  # fmt: skip
    return Summary(**{**found, **values})


def numbers_of(judgement):
    """Of all that both files have to tell."""
    measures = [
        *judgement.metrics.items(),
        *((check.metric, check.measure) for check in judgement.verdict.checks
          if check.measure and not _FILTERS["is_difference"](check.metric)),
        *(("recall", one.recall) for one in judgement.classes),
        *(("", t.false_accepts) for t in judgement.thresholds.values()),
        *(("", t.false_rejects) for t in judgement.thresholds.values()),
    ]  # fmt: skip
    for metric, measure in measures:
        yield shown(measure, metric)
    for other in judgement.compared.values():
        for metric, measure in other.differences.items():
            yield _FILTERS["difference"](measure, metric)
    for threshold in judgement.thresholds.values():
        yield f"{threshold.value:.3f}"


def shown(measure, metric):
    """A value as the files show it."""
    return _FILTERS["value"](measure, metric)


_FILTERS = rendering.html().filters
