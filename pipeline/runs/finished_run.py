"""Finds a run that was judged, and its judgement, by whatever people call it.

A run is named by where it is and, maybe, which one it is. Where: a configuration, the folder of a
pipeline (`runs/<name>`, wherever it was copied to), the folder of one run
(`runs/<name>/runs/<time>`, which may have been copied alone), or one that holds a judgement.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import ValidationError

from base.errors import UserError
from components.judge.judgement_files import read_judgement
from judging.judgement import Judgement
from pipeline.config import reading as configuration
from pipeline.runs.history import Artifact, HistoryError, Run, read_runs
from pipeline.runs.summary import Summary
from storage.file_systems import is_remote

METADATA = "metadata.sqlite"
"""The database in a pipeline's folder."""

LATEST, PREVIOUS = "latest", "previous"
"""Runs that have no need of an id: the newest, and the one before it."""


class NoSuchRun(UserError):
    """There is no such run, or nothing was judged in it; the message says what there is instead."""


class FailedRun(UserError):
    """The run failed, so that nothing was decided."""

    exit_code = 1


class JudgedRun(NamedTuple):
    """A run and its judgement.

    Attributes:
        name: Of the pipeline; empty for a judgement alone.
        run: The run; None for a judgement alone.
        judgement: What was found.
        uri: Folder of the judgement's files.
        root: The pipeline's folder; None where it is not known.
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
        if self.root is None:
            return Path(self.uri) if self.run else None
        for folder in sorted((self.root / "runs").glob("*")):
            if self.run and _run_of(folder) == self.run.id:
                return folder
        return None

    def output(self, component: str, name: str) -> str | None:
        """Where a component's output lies now; None where it made none in this run."""
        found = self.run.output(component, name) if self.run else None
        return _uri(found, self.root) if found else None


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
    root = _root(where)
    if root is None and where.is_dir() and (where / Judgement.FILE).is_file():
        if run_id:
            raise NoSuchRun(f"{where}: holds a judgement alone, in which no run can be chosen")
        summary = Summary.read(where)
        one = summary.run if summary else None
        _refuse_failed(one)
        name = summary.name if summary and one else ""
        return JudgedRun(name, one, _read(str(where)), str(where), None)
    if where.is_file():
        settings = configuration.load(where, overrides)
        root, name = settings.root, settings.name
    elif root is None:
        raise NoSuchRun(_no_pipeline(where))
    else:
        name = _name(root)
        if root != where:
            if run_id:
                raise NoSuchRun(f"{where}: is the folder of one run, in which none can be chosen")
            run_id = _run_of(where)
            if run_id is None:
                raise NoSuchRun(f"{where}: holds no {Summary.FILE} that tells which run it is of")
    run = _choose(root, name, run_id)
    _refuse_failed(run)
    found = run.output("Judge", "judgement")
    if found is None:
        raise NoSuchRun(
            f"run {run.id} of {name} holds no judgement: no Judge was part of it. Run the pipeline "
            "anew: siamese run"
        )
    uri = _uri(found, root)
    return JudgedRun(name, run, _read(uri), uri, root)


def _root(where: Path) -> Path | None:
    """The folder of the pipeline that a folder is, or that a run's folder is of."""
    roots = (root for root in (where, where.parent.parent) if (root / METADATA).is_file())
    return next(roots, None) if where.is_dir() else None


def _no_pipeline(where: Path) -> str:
    if not where.exists():
        return f"{where}: there is no such file or folder"
    return (
        f"{where}: is the folder of no pipeline (runs/<name>, which holds {METADATA}), of no run "
        f"(runs/<name>/runs/<time>), and holds no {Judgement.FILE}"
    )


def _name(root: Path) -> str:
    """The pipeline's name, which its folder may have lost when it was copied."""
    for path in sorted((root / "runs").glob("*/config.yaml"), reverse=True):
        return str(yaml.safe_load(path.read_text(encoding="utf-8"))["name"])
    return root.resolve().name


def _run_of(folder: Path) -> str | None:
    """The id of the run that a run's folder is of, if that is noted."""
    summary = Summary.read(folder)
    return summary.run.id if summary and summary.run else None


def _refuse_failed(run: Run | None) -> None:
    if run and run.failed:
        raise FailedRun(f"run {run.id} failed in {run.failed}; siamese show tells more")


def _choose(root: Path, name: str, run_id: str | None) -> Run:
    try:
        runs = read_runs(root / METADATA, name, limit=1 if run_id in (None, LATEST) else None)
    except HistoryError as e:
        raise NoSuchRun(str(e)) from e
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


def _uri(artifact: Artifact, root: Path | None) -> str:
    """Where an artifact lies, also where the pipeline's folder came from another machine."""
    uri = artifact.uri
    if root is None or is_remote(uri) or os.path.isdir(uri):
        return uri
    moved = root / "pipeline" / uri.rpartition("/pipeline/")[2]
    return str(moved) if moved.is_dir() else uri


def _read(uri: str) -> Judgement:
    try:
        return read_judgement(uri)
    except FileNotFoundError as e:
        raise NoSuchRun(f"{uri}: holds no {Judgement.FILE}; was the folder deleted?") from e
    except ValidationError as e:
        raise NoSuchRun(
            f"{os.path.join(uri, Judgement.FILE)}: cannot be read; it is damaged, or of another "
            "version of this project"
        ) from e
