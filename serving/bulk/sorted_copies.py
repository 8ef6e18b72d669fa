"""Copies files into a folder for each class."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from base.errors import UserError
from serving.answers import Classification
from serving.bulk.listing import Listed
from serving.file_batch import FileAnswer
from storage.file_systems import download, is_remote

UNKNOWN, NO_IMAGE = "unknown", "not an image"
"""Folders of images of no known class, and of files that cannot be used."""


class SortedCopies:
    """Copies of files, sorted by their answers.

    Args:
        folder: Where the class folders are; created when it is needed.
        continued: Whether the folder may have copies of a run that was stopped.

    Raises:
        UserError: The folder has files.
    """

    def __init__(self, folder: Path, continued: bool) -> None:
        self._folder = folder
        if folder.exists() and not continued and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"{folder}: is not an empty folder; name an empty or a new one")

    def add(self, file: Listed, answer: FileAnswer[Classification]) -> None:
        """Copy a file to where its answer puts it.

        Raises:
            OSError: It cannot be copied.
        """
        target = self._folder / _folder_of(answer) / file.relative
        target.parent.mkdir(parents=True, exist_ok=True)
        if is_remote(file.path):
            download(file.path, str(target))
        elif os.path.isfile(file.path):  # a missing one has an answer too
            shutil.copyfile(file.path, target)


def check_names(files: list[Listed]) -> None:
    """See that no copy would replace another.

    Raises:
        UserError: Two files would have the same name.
    """
    seen: dict[str, str] = {}
    for path, relative in files:
        if other := seen.get(relative):
            raise UserError(f"{other} and {path} would be the same copy; sort them one by one")
        seen[relative] = path


def _folder_of(answer: FileAnswer[Classification]) -> str:
    if answer.answer is None:
        return NO_IMAGE
    if not answer.answer.known:
        return UNKNOWN
    name = answer.answer.label.replace("/", "_").replace("\0", "_")
    return f"{name} (class)" if name in ("", ".", "..", UNKNOWN, NO_IMAGE) else name
