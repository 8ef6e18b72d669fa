"""Pipelines' folders with judged runs, without a pipeline."""

from datetime import datetime, timedelta, timezone

import yaml
from judge_views import held_out

from components.image_example_gen.report import IngestionReport
from components.judge import judgement_files
from judging.judge import judge
from judging.judgement import Judgement
from judging.settings import JudgeSettings, Thresholds
from pipeline.runs.history import Artifact, Component, Run
from pipeline.runs.summary import Summary

SETTINGS = JudgeSettings()
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def judged(images_and_view, asked=None):
    """A judgement of one of `judge_views`' models."""
    images, view = images_and_view
    return judge(images, view, {}, None, asked or Thresholds(), SETTINGS)


def write_judgement(folder, found):
    folder.mkdir(parents=True, exist_ok=True)
    judgement_files.write_judgement(str(folder), found)
    return folder


class Pipelines:
    """Folders of pipelines in `place`, and their runs."""

    def __init__(self, place):
        self.place = place

    def add(
        self, name="mine", found=None, infra=None, failed=None, uri=None, pushed=None, **config
    ):
        """One more run, the newest; `found` is its judgement, `pushed` the version, if any."""
        root = self.place / "runs" / name
        number = len(list(root.glob("runs/*"))) + 1
        examples = root / f"pipeline/ImageExampleGen/examples/{number}"
        examples.mkdir(parents=True)
        (examples / IngestionReport.FILE).write_text(_report(6 + number).model_dump_json())
        components = [_component("ImageExampleGen", examples=(examples, {}))]
        if found:
            folder = write_judgement(root / f"pipeline/Judge/judgement/{number}", found)
            outcome = found.judgement.verdict.outcome
            components.append(
                _component(
                    "Judge",
                    judgement=(uri or folder, {}),
                    blessing=("b", {"blessed": int(outcome == "blessed"), "verdict": outcome}),
                )
            )
        if infra is not None:
            components.append(
                _component("InfraCheck", blessing=("i", {"blessed": 0, "problem": infra}))
            )
        if pushed is not None:
            model = {"pushed": 1, "pushed_destination": str(root / "serving" / str(pushed))}
            components.append(_component("Pusher", pushed_model=("p", model)))
        if failed:
            components.append(Component(id=failed, outcome="failed"))
        started = START + timedelta(days=number)
        run_id = f"{started:%Y%m%d-%H%M%S}"
        run = Run(id=run_id, components=components)
        folder = root / "runs" / run_id
        folder.mkdir(parents=True)
        failure = "no disk" if failed else None
        Summary(
            id=run_id, name=name, started=started, run=run, failure=failure, serving_root="s"
        ).write(folder)
        values = {"name": name, "data": {"root": "data"}, **config}
        (folder / "config.yaml").write_text(yaml.safe_dump(values))
        if found:
            (folder / Judgement.FILE).write_text(found.judgement.model_dump_json())
        return run_id


def _component(name, **outputs):
    made = {
        key: Artifact(uri=str(uri), properties=values) for key, (uri, values) in outputs.items()
    }
    return Component(id=name, outcome="done", outputs=made)


def _report(test):
    counts = {"train": 10, "validation": 5, "test": test}
    return IngestionReport(
        root="data",
        files=30,
        reencoded=0,
        expected_classes=["c0"],
        classes={"c0": counts, "c1": counts},
        excluded=[],
        near_duplicates=[],
    )


def good(**view):
    """A model that tells its images well enough to be blessed."""
    return held_out(classes=4, each=12, spread=0.2, **view)


def poor():
    """The same images, seen by a model that does not tell them as well."""
    images, view = good()
    noisy = held_out(classes=4, each=12, spread=0.5, seed=5)[1]
    return images, view._replace(embeddings=noisy.embeddings)
