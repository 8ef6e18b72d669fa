import io
from datetime import datetime, timezone

import pytest
from rich.console import Console

from components.image_example_gen.report import ExcludedFile, IngestionReport
from judging.judgement import Check, Measure, Verdict
from judging.score_choice import ScoreChoice
from pipeline.commands.show import show_runs
from pipeline.runs.history import Artifact, Component, Run
from pipeline.runs.summary import Summary
from pipeline.terminal.run_summary import show_summary

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc)


def run(verdict="blessed", pusher="done", trainer="done"):
    blessed = verdict == "blessed"
    pushed = {"pushed": 1, "pushed_destination": "/serving/17"} if blessed else {"pushed": 0}
    components = [
        Component(id="Trainer", outcome=trainer, seconds=61.25),
        Component(
            id="Judge",
            outcome="done",
            seconds=1,
            outputs={"blessing": Artifact(uri="b", properties={"verdict": verdict})},
        ),
        Component(
            id="Pusher",
            outcome=pusher,
            seconds=0.1,
            outputs={"pushed_model": Artifact(uri="p", properties=pushed)},
        ),
    ]
    return Run(id="20260102-030405", components=components)


def verdict(outcome, checked, reason):
    measure = Measure(value=0.97, low=0.91, high=0.99, images=80)
    check = Check(metric="auc", measure=measure, required="at least 0.95", outcome=checked)
    other = Check(metric="auc against it", required="at least 0", outcome="skipped")
    return Verdict(outcome=outcome, checks=(check, other), reasons=(reason,))


def summary(**changes):
    values = {
        "name": "parts",
        "started": NOW,
        "run": run(),
        "serving_root": "/serving",
        "metrics": {
            "auc": Measure(value=0.97, low=0.91, high=0.99, images=80),
            "recall": Measure(value=0.8, low=0.7, high=0.88, images=80),
        },
        "verdict": verdict("blessed", "passed", "every threshold is reached"),
        "data": IngestionReport(
            root="data",
            files=13,
            reencoded=0,
            expected_classes=["[dent]"],
            classes={"[dent]": {"train": 6, "validation": 2, "test": 3}},
            excluded=[ExcludedFile(path=f"[dent]/{i}.jpg", reason="is empty") for i in range(12)],
            near_duplicates=[],
        ),
        "pairs": {s: {"pairs": 1234} for s in ("train", "validation", "test")},
    }
    return Summary(**{**values, **changes})


def shown(what, show=show_summary, width=80):
    console = Console(file=io.StringIO(), width=width)
    show(console, what)
    return console.file.getvalue()


def test_a_blessed_run():
    text = shown(summary())
    assert "Trainer" in text
    assert "61.2 s" in text
    assert "class [dent]" in text
    assert "1,234" in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "auc 0.970 0.910 to 0.990 80" in lines
    assert "recall 0.800 0.700 to 0.880 80" in lines
    assert "auc 0.970 0.910 to 0.990 at least 0.95 passed" in lines
    assert "auc against it at least 0 skipped" in lines
    assert "Blessed: every threshold is reached." in text
    assert "Pushed to /serving/17" in text


def test_a_refit_names_its_images():
    again = {"train": 39, "validation": 12}
    training = {"history": {}, "best_epoch": 2, "epochs": 3, "refit": again}
    text = " ".join(shown(summary(training=training)).split())
    assert "Trained again on 39 training and 12 validation images, up to epoch 2; " in text


def test_it_says_what_scores_are_made_of():
    score = ScoreChoice("margin", {"cosine": 0.8, "margin": 0.9})
    training = {"history": {}, "best_epoch": 0, "epochs": 0, "score": score.summary()}
    assert score.sentence() in " ".join(shown(summary(training=training)).split())


def test_excluded_files_are_named_up_to_ten():
    text = shown(summary())
    assert "12 of 13 files are excluded:" in text
    assert text.count("is empty") == 10
    assert "and 2 more, listed in summary.json" in text


@pytest.mark.parametrize(
    ("outcome", "checked", "word"),
    [("not_blessed", "failed", "Not blessed"), ("undecided", "undecided", "Undecided")],
)
def test_an_unblessed_run_says_why(outcome, checked, word):
    text = shown(summary(run=run(outcome), verdict=verdict(outcome, checked, "auc is too low")))
    assert f"{word}: auc is too low." in text
    assert f" {checked}" in text
    assert "Nothing was pushed; the served model is unchanged." in text
    assert "Pushed to" not in text


def test_the_report_is_named_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = f"{tmp_path}/runs/x/report.html"
    assert "Report: runs/x/report.html" in shown(summary(report=path))
    assert "Report: runs/x/report.html" in shown(
        Summary(name="x", started=NOW, serving_root="s", failure="no data", report=path)
    )
    assert "Report" not in shown(summary())


def test_an_unchanged_run_pushes_nothing_new():
    assert "Unchanged; pushed before to /serving/17" in shown(summary(run=run(pusher="cached")))


@pytest.mark.parametrize("width", [80, 120])
def test_runs_are_a_line_each(width):
    kept = {"id": "20260102-030405", "name": "x", "started": NOW, "serving_root": "s"}
    text = shown(
        [
            summary(id="20260102-030405"),
            Summary(run=run("not_blessed"), **kept),
            Summary(run=run(trainer="failed"), failure="no disk", **kept),
            Summary(run=run("undecided"), **kept),
            Summary(unfinished="running", **kept),
            Summary(unfinished="interrupted", **kept),
        ],
        show_runs,
        width,
    )
    assert "blessed" in text
    assert "0.970" in text
    assert "not blessed" in text
    assert "failed in Trainer" in text
    assert "undecided" in text
    assert "running" in text
    assert "interrupted" in text
    assert text.count("20260102-030405") == 6


def test_a_run_that_made_nothing():
    assert shown(Summary(name="x", started=NOW, serving_root="s", failure="no data")).strip() == ""
