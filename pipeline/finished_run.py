"""Finds a run that was judged, and its judgement, by whatever people call it.

A run is named by where it is and, maybe, which one it is. Where: a configuration, the folder of a
pipeline (`runs/<name>`, wherever it was copied to), the folder of one run
(`runs/<name>/runs/<time>`), or a folder that holds a judgement alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import ValidationError

from components.judge.judgement import Judgement
from pipeline import config as configuration
from pipeline.history import Artifact, Run, read_runs
from pipeline.summary import Summary

METADATA = "metadata.sqlite"
"""The database in a pipeline's folder."""

LATEST, PREVIOUS = "latest", "previous"
"""Runs that have no need of an id: the newest, and the one before it."""


class NoSuchRun(ValueError):
    """There is no such run, or nothing was judged in it; the message says what there is instead."""


class FailedRun(ValueError):
    """The run failed, so that nothing was decided."""


class JudgedRun(NamedTuple):
    """A run and its judgement.

    Attributes:
        name: Of the pipeline; empty for a judgement alone.
        run: The run; None for a judgement alone.
        judgement: What was found.
        uri: Folder of the judgement's files.
        root: The pipeline's folder; None for a judgement alone.
    """

    name: str
    run: Run | None
    judgement: Judgement
    uri: str
    root: Path | None

    @property
    def words(self) -> str:
        """What it is called in a sentence."""
        return f"run {self.run.id} of {self.name}" if self.run else self.uri

    @property
    def folder(self) -> Path | None:
        """The run's own folder, which holds its configuration; None where it is gone."""
        for folder in sorted((self.root / "runs").glob("*")) if self.root else []:
            summary = Summary.read(folder)
            if self.run and summary and summary.run and summary.run.id == self.run.id:
                return folder
        return None

    def output(self, component: str, name: str) -> str | None:
        """Where a component's output lies now; None where it made none in this run."""
        found = self.run.output(component, name) if self.run else None
        return _uri(found, self.root) if found and self.root else None


def find_judged_run(
    where: Path, run_id: str | None = None, overrides: Sequence[str] = ()
) -> JudgedRun:
    """The run that was named. Needs ml_metadata, but neither TFX nor TensorFlow.

    Args:
        where: See the top of this file.
        run_id: TFX's id of the run, `latest` or `previous`; None: the latest.
        overrides: Of the configuration, where one is named.

    Raises:
        NoSuchRun: There is none, or it has no judgement.
        FailedRun: It failed.
        ConfigError: The configuration cannot be read.
    """
    if where.is_dir() and (where / Judgement.FILE).is_file():
        if run_id:
            raise NoSuchRun(f"{where}: holds a judgement alone, in which no run can be chosen")
        return JudgedRun("", None, _read(str(where)), str(where), None)
    root, name = _pipeline(where, overrides)
    if where.is_dir() and root != where:
        if run_id:
            raise NoSuchRun(f"{where}: is the folder of one run, in which none can be chosen")
        run_id = _id_of(where)
    run = _choose(root, name, run_id)
    if run.failed:
        raise FailedRun(f"run {run.id} of {name} failed in {run.failed}; siamese show tells more")
    found = run.output("Judge", "judgement")
    if found is None:
        raise NoSuchRun(
            f"run {run.id} of {name} holds no judgement: no Judge was part of it. Run the pipeline "
            "anew: siamese run"
        )
    uri = _uri(found, root)
    return JudgedRun(name, run, _read(uri), uri, root)


def _pipeline(where: Path, overrides: Sequence[str]) -> tuple[Path, str]:
    """The pipeline's folder and name."""
    if where.is_file():
        settings = configuration.load(where, overrides)
        return settings.root, settings.name
    for root in (where, where.parent.parent):
        if (root / METADATA).is_file():
            return root, _name(root)
    if not where.exists():
        raise NoSuchRun(f"{where}: there is no such file or folder")
    raise NoSuchRun(
        f"{where}: is the folder of no pipeline (runs/<name>, which holds {METADATA}), of no run "
        f"(runs/<name>/runs/<time>), and holds no {Judgement.FILE}"
    )


def _name(root: Path) -> str:
    """The pipeline's name, which its folder may have lost when it was copied."""
    for path in sorted((root / "runs").glob("*/config.yaml"), reverse=True):
        return str(yaml.safe_load(path.read_text(encoding="utf-8"))["name"])
    return root.resolve().name


def _id_of(folder: Path) -> str:
    summary = Summary.read(folder)
    if summary is None or summary.run is None:
        raise NoSuchRun(f"{folder}: holds no {Summary.FILE} that tells which run it is of")
    return summary.run.id


def _choose(root: Path, name: str, run_id: str | None) -> Run:
    if run_id in (None, LATEST):
        runs = read_runs(root / METADATA, name, limit=1)
    else:
        runs = read_runs(root / METADATA, name)
    if not runs:
        raise NoSuchRun(f"{name} has no runs in {root}; start one: siamese run")
    if run_id in (None, LATEST):
        return runs[0]
    if run_id == PREVIOUS:
        if len(runs) < 2:
            raise NoSuchRun(f"{name} has one run alone, {runs[0].id}, and none before it")
        return runs[1]
    for run in runs:
        if run.id == run_id:
            return run
    raise NoSuchRun(f"{name} has no run {run_id}; the last is {runs[0].id}")


def _uri(artifact: Artifact, root: Path) -> str:
    """Where an artifact lies, also where the pipeline's folder came from another machine."""
    uri = artifact.uri
    if "://" in uri or os.path.isdir(uri):
        return uri
    moved = root / "pipeline" / uri.rpartition("/pipeline/")[2]
    return str(moved) if moved.is_dir() else uri


def _read(uri: str) -> Judgement:
    try:
        return Judgement.read(uri)
    except FileNotFoundError as e:
        raise NoSuchRun(f"{uri}: holds no {Judgement.FILE}; was the folder deleted?") from e
    except ValidationError as e:
        raise NoSuchRun(
            f"{os.path.join(uri, Judgement.FILE)}: cannot be read; it is damaged, or of another "
            "version of this project"
        ) from e
