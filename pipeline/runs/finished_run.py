"""Finds a judged run and its judgement.

A run is named by its place and, where several are there, its id. The place is a configuration, a
pipeline's folder (`runs/<name>`, which may have been copied), a run's folder
(`runs/<name>/runs/<id>`, which may have been copied alone) or a folder with a judgement.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from base.errors import UserError
from components.judge.judgement_files import read_judgement
from judging.judgement import Judgement
from pipeline.config import reading
from pipeline.config.errors import ConfigError
from pipeline.runs.history import Artifact, Run
from pipeline.runs.outcome import Outcome
from pipeline.runs.run_folders import CONFIG, FOLDER, NoSuchRun, configurations, find_run
from pipeline.runs.summary import Summary
from storage.file_systems import is_remote


class NoVerdict(UserError):
    """The run failed, was interrupted or is still running."""

    exit_code = 1


class JudgedRun(NamedTuple):
    """A run and its judgement.

    Attributes:
        summary: The run's; None for a judgement alone.
        judgement: The Judge's findings.
        uri: Folder of the judgement's files.
        root: The pipeline's folder; None if it is unknown.
    """

    summary: Summary | None
    judgement: Judgement
    uri: str
    root: Path | None

    @property
    def name(self) -> str:
        """The pipeline's name; empty for a judgement alone."""
        return self.summary.name if self.summary else ""

    @property
    def id(self) -> str:
        """The run's id; empty for a judgement alone."""
        return self.summary.id if self.summary else ""

    @property
    def run(self) -> Run | None:
        """The run's components; None for a judgement alone."""
        return self.summary.run if self.summary else None

    @property
    def words(self) -> str:
        """The run in a sentence."""
        return f"run {self.id} of {self.name}" if self.summary else self.uri

    @property
    def folder(self) -> Path | None:
        """The run's own folder, which holds its configuration; None for a judgement alone."""
        if self.root is None:
            return Path(self.uri) if self.summary else None
        return self.root / FOLDER / self.id

    def output(self, component: str, name: str) -> str | None:
        """Return the folder of a component's output; None if it has none in this run."""
        found = self.run.output(component, name) if self.run else None
        return _uri(found, self.root) if found else None


def find_judged_run(
    where: Path, run_id: str | None = None, overrides: Sequence[str] = ()
) -> JudgedRun:
    """Return a judged run. Needs neither TFX nor TensorFlow.

    Args:
        where: The run's place, see the top of this file.
        run_id: The run's id, `latest` or `previous`; None: the latest.
        overrides: Of the configuration, if `where` is one.

    Raises:
        NoSuchRun: There is no such run, or it has no judgement.
        NoVerdict: It failed, was interrupted or is still running.
        ConfigError: The configuration cannot be read.
    """
    if where.is_file():
        settings = reading.load(where, overrides)
        return _judged(find_run(settings.root, settings.name, run_id), settings.root)
    if not where.exists():
        raise NoSuchRun(f"{where}: there is no such file or folder")
    if configurations(where):
        return _judged(find_run(where, _name(where), run_id), where)
    if run_id:
        raise NoSuchRun(f"{where}: is one run or judgement; --run needs a pipeline's folder")
    if where.parent.name == FOLDER and (where / CONFIG).is_file():
        root = where.parent.parent
        return _judged(find_run(root, _name(root), where.name), root)
    if summary := Summary.read(where):
        _refuse_unjudged(summary)
        return JudgedRun(summary, _read(str(where)), str(where), None)
    if (where / Judgement.FILE).is_file():
        return JudgedRun(None, _read(str(where)), str(where), None)
    raise NoSuchRun(
        f"{where}: is neither a pipeline's folder (runs/<name>) nor a run's (runs/<name>/runs/<id>)"
        f", and holds no {Judgement.FILE}"
    )


def _judged(summary: Summary, root: Path) -> JudgedRun:
    _refuse_unjudged(summary)
    found = summary.run.output("Judge", "judgement") if summary.run else None
    if found is None:
        raise NoSuchRun(f"run {summary.id} of {summary.name} has no judgement; run it again")
    uri, own = _uri(found, root), root / FOLDER / summary.id
    # The run's own copy, which a folder without `pipeline` holds too.
    copied = (own / Judgement.FILE).is_file()
    return JudgedRun(summary, _read(str(own) if copied else uri), uri, root)


def _refuse_unjudged(run: Summary) -> None:
    if run.outcome is Outcome.RUNNING:
        raise NoVerdict(f"run {run.id} is still running; wait until it ends")
    if run.outcome is Outcome.INTERRUPTED:
        raise NoVerdict(f"run {run.id} was interrupted; run the pipeline again: siamese run")
    if run.outcome is Outcome.FAILED:
        component = f" in {run.run.failed}" if run.run and run.run.failed else ""
        raise NoVerdict(f"run {run.id} failed{component}: {run.failure}")


def _name(root: Path) -> str:
    """Return the pipeline's name, which its folder may have lost when it was copied."""
    for path in sorted(configurations(root), reverse=True):
        with contextlib.suppress(ConfigError):  # empty, if the disk was full
            if name := reading.read_yaml(path).get("name"):
                return str(name)
    return root.resolve().name


def _uri(artifact: Artifact, root: Path | None) -> str:
    """Return where an artifact is, also if the pipeline's folder came from another machine."""
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
            f"{os.path.join(uri, Judgement.FILE)}: is damaged, or was written by another version "
            "of this project"
        ) from e
