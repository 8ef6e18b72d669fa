"""What a model's version was made of, by what, and how it was judged: a file in the version."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from base.errors import UserError
from storage.file_systems import is_remote, open_file, write_whole

FILE = "assets.extra/lineage.json"
"""Path in a SavedModel's folder; servers ignore it."""

BLESSED = "blessed"


class LineageError(UserError):
    """A file of lineage that cannot be read."""


class _Part(BaseModel):
    # A later version of this project may know more.
    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")


class Figure(_Part):
    """A metric with its 95 % interval, and the number of images that it was measured on."""

    value: float
    low: float
    high: float
    images: int


class Verdict(_Part):
    """How a version was judged.

    Attributes:
        outcome: `blessed`, `not_blessed` or `undecided`.
        reasons: Why, in sentences.
        figures: The metrics by name, as in `judging.settings.METRICS`.
        on: What it was judged on: the data's folder.
        time: When.
    """

    outcome: str
    reasons: tuple[str, ...] = ()
    figures: dict[str, Figure] = {}
    on: str = ""
    time: datetime


def now() -> datetime:
    """Return the time, to the second."""
    return datetime.now(timezone.utc).replace(microsecond=0)


class Lineage(_Part):
    """Where a version comes from.

    Attributes:
        made_by: What wrote it; `unknown` in one that was judged later, and had no lineage.
        made: When; None if unknown.
        pipeline: Name of the pipeline that trained it or what it was made of; empty if unknown.
        run: Id of the run; empty if unknown.
        parent: Number of the version that it was made of, or its folder's name; empty for a run's.
        changes: What differs from that one, in words.
        classes: Number of support images of each class; empty if unknown.
        verdict: None if it was not judged.
    """

    made_by: Literal["run", "enrolment", "threshold", "unknown"]
    made: datetime | None = Field(default_factory=now)
    pipeline: str = ""
    run: str = ""
    parent: str = ""
    changes: tuple[str, ...] = ()
    classes: dict[str, int] = {}
    verdict: Verdict | None = None


def read_lineage(version: str | os.PathLike[str]) -> Lineage | None:
    """Return the lineage of a version; None if it has none, as those of older releases.

    Args:
        version: Its folder or address.

    Raises:
        LineageError: It is damaged.
        OSError: It cannot be read.
    """
    path = os.path.join(version, FILE)
    try:
        with open_file(path, "rb") as file:
            return Lineage.model_validate_json(file.read())
    except FileNotFoundError:
        return None
    except ValidationError as e:
        wrong = ", ".join(".".join(map(str, one["loc"])) or one["msg"] for one in e.errors())
        raise LineageError(
            f"{path}: is damaged ({wrong}); delete it, and judge the version again: siamese gate "
            "--record"
        ) from e


def write_lineage(version: str | os.PathLike[str], lineage: Lineage) -> None:
    """Write the lineage into a version's folder; an older one is replaced.

    Raises:
        OSError: It cannot be written.
    """
    path = os.path.join(version, FILE)
    if not is_remote(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    write_whole(path, lineage.model_dump_json(indent=1))


def record_verdict(version: str | os.PathLike[str], verdict: Verdict) -> None:
    """Write into a version how it was judged.

    Raises:
        LineageError: Its lineage is damaged.
        OSError: It cannot be written.
    """
    lineage = read_lineage(version) or Lineage(made_by="unknown", made=None)
    write_lineage(version, lineage.model_copy(update={"verdict": verdict}))


def next_lineage(
    parent: str | os.PathLike[str],
    made_by: Literal["enrolment", "threshold"],
    changes: tuple[str, ...],
    classes: dict[str, int] | None = None,
) -> Lineage:
    """Return the lineage of a version that is made of another one, without a verdict.

    Args:
        parent: Folder of the other one.
        made_by: What makes it.
        changes: What differs, in words.
        classes: Number of support images of each class; None: as the parent's.

    Raises:
        LineageError: The parent's is damaged.
    """
    before = read_lineage(parent)
    if classes is None:
        classes = before.classes if before else {}
    return Lineage(
        made_by=made_by,
        pipeline=before.pipeline if before else "",
        run=before.run if before else "",
        parent=os.path.basename(os.fspath(parent).rstrip("/")),
        changes=changes,
        classes=classes,
    )
