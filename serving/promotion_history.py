"""The history of a model's labels: a file beside the versions, with a line for each change."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from base.errors import UserError
from serving.version_labels import STABLE
from storage.file_systems import open_file, write_whole

FILE = "promotions.jsonl"
"""Name of the file in a base path."""


class HistoryError(UserError):
    """A history that cannot be read."""


class Promotion(BaseModel):
    """One change.

    Attributes:
        time: When.
        how: The command.
        label: The label that was moved.
        version: The version that has it since; None if none has.
        before: The version that had it; of the first, what was served until then.
        outcome: The version's verdict at that time; empty if it was never judged.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    time: datetime
    how: Literal["promote", "rollback"]
    label: str
    version: int | None
    before: int | None = None
    outcome: str = ""


def read_promotions(base_path: str | os.PathLike[str]) -> list[Promotion]:
    """Return the changes of the labels in a base path, the oldest first.

    Raises:
        HistoryError: The file is damaged.
        OSError: It cannot be read.
    """
    path = os.path.join(base_path, FILE)
    try:
        with open_file(path) as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(Promotion.model_validate_json(line))
        except ValidationError as e:
            raise HistoryError(f"{path}: line {number} is damaged; delete it") from e
    return found


def add_promotion(base_path: str | os.PathLike[str], promotion: Promotion) -> None:
    """Add a change to the history.

    Raises:
        OSError: The file cannot be written.
    """
    history = [*read_promotions(base_path), promotion]
    text = "".join(one.model_dump_json() + "\n" for one in history)
    write_whole(os.path.join(base_path, FILE), text)


def previous_stable(
    history: Sequence[Promotion], stable: int | None, present: Collection[int]
) -> int | None:
    """Return the version that was stable before the present one; None if there is none.

    A rollback takes the last promotion back, so that a second one goes on to the one before.

    Args:
        history: All changes, the oldest first.
        stable: The stable version.
        present: Versions that still exist.
    """
    stack: list[int] = []
    for one in history:
        if one.label != STABLE or one.version is None:
            continue
        if not stack and one.before is not None:
            stack.append(one.before)
        if one.how == "rollback":
            while stack and stack[-1] != one.version:
                stack.pop()
        if not stack or stack[-1] != one.version:
            stack.append(one.version)
    while stack and (stack[-1] == stable or stack[-1] not in present):
        stack.pop()
    return stack[-1] if stack else None
