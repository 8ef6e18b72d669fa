"""The models that runs have pushed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from base.errors import UserError
from storage.file_systems import download, is_remote
from storage.model_versions import SAVED_MODEL, newest_version


def newest_pushed(serving_root: str) -> str:
    """Return the newest version in a base path.

    Raises:
        UserError: There is no version.
    """
    newest = newest_version(serving_root)
    if newest is None:
        raise UserError(
            f"{serving_root}: no model has been pushed there; run the pipeline: siamese run"
        )
    return newest


def newest_model(serving_root: str, copies: Path) -> Path:
    """Return the newest version in a base path, or a local copy of a remote one.

    Servers of this project read local files.

    Args:
        serving_root: The base path.
        copies: Local folder for the copy; older copies in it are deleted.

    Raises:
        UserError: There is no version.
    """
    newest = newest_pushed(serving_root)
    return _copy(newest, copies) if is_remote(newest) else Path(newest)


def _copy(version: str, copies: Path) -> Path:
    number = os.path.basename(version)
    if not (copies / number / SAVED_MODEL).is_file():
        unfinished = copies / f".{number}"
        shutil.rmtree(unfinished, ignore_errors=True)
        download(version, str(unfinished))
        unfinished.rename(copies / number)
    for other in copies.iterdir():
        if other.name != number:
            shutil.rmtree(other)
    return copies / number
