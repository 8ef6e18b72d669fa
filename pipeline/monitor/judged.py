"""Finds the reference of a served version: what the Judge wrote in the run that pushed it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from base.errors import UserError
from components.judge.judgement_files import REFERENCE, read_reference
from judging.reference import Reference
from pipeline.config.run_config import RunConfig
from pipeline.runs.run_folders import list_runs
from pipeline.runs.summary import Summary
from storage.lineage import read_lineage


class NoReference(UserError):
    """There is nothing to compare the traffic with."""


class FoundReference(NamedTuple):
    """The reference of a version.

    Attributes:
        reference: The judged images.
        version: The version that they were judged with; None if a folder was named.
        note: What people should know of it, without a full stop; may be empty.
    """

    reference: Reference
    version: int | None
    note: str = ""


def named_reference(folder: Path) -> FoundReference:
    """Return the reference in a judgement's folder, such as of `siamese gate --keep`.

    Raises:
        NoReference: It holds none.
    """
    found = read_reference(str(folder))
    if found is None:
        raise NoReference(
            f"--reference {folder}: holds no {REFERENCE}; write one: siamese gate --model VERSION "
            f"--images LABELLED --keep {folder}"
        )
    return FoundReference(found, None)


def reference_of(config: RunConfig, version: int) -> FoundReference:
    """Return the reference of a served version.

    A version that was enrolled, or got another threshold, was made of one that a run pushed, whose
    reference stands in.

    Raises:
        NoReference: No run of this configuration pushed it or what it was made of, or the run's
            judgement holds no reference.
        LineageError: The version's lineage is damaged.
    """
    found = _run_of(config, version)
    if found is None:
        raise NoReference(
            f"version {version}: no run of {config.name} in {config.root} pushed it or what it was "
            "made of; judge it on labelled images: siamese gate --model VERSION --images LABELLED "
            "--keep FOLDER, and name the result: siamese monitor --reference FOLDER"
        )
    judged, run = found
    artifact = run.run.output("Judge", "judgement") if run.run else None
    reference = artifact and read_reference(artifact.uri)
    if not reference:
        raise NoReference(
            f"run {run.id}: its judgement holds no {REFERENCE}, as those of older versions of this "
            "project, or of classes that were held out; run the pipeline again: siamese run"
        )
    note = (
        f"version {version} was made of version {judged} by enrolment or another threshold; it is "
        f"compared with what {judged} was judged on"
    )
    return FoundReference(reference, judged, "" if judged == version else note)


def _run_of(config: RunConfig, version: int) -> tuple[int, Summary] | None:
    """Return the version that a run pushed and this one is or was made of, and the newest such run.

    Without a lineage, as of older releases, it is the newest before it.
    """
    pushed: dict[int, Summary] = {}
    by_id: dict[str, int] = {}
    for run in list_runs(config.root, config.name):
        number = os.path.basename(((run.run and run.run.pushed) or "").rstrip("/"))
        if number.isdigit():  # a run whose Pusher was cached names what was pushed before
            pushed.setdefault(int(number), run)
            by_id[run.id] = int(number)
    lineage = read_lineage(os.path.join(config.serving_root, str(version)))
    if version in pushed:
        return version, pushed[version]
    judged = by_id.get(lineage.run) if lineage else None
    if judged is None and lineage is None:
        judged = max((one for one in pushed if one < version), default=None)
    return None if judged is None else (judged, pushed[judged])
