"""The models that runs have pushed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from storage.file_systems import is_remote, load_plugins


def newest_model(serving_root: str, copies: Path) -> Path:
    """The newest version below a base path; of one that is not on this machine, a copy.

    Servers of this project read local files.

    Args:
        serving_root: The base path.
        copies: Local folder that takes the copy; there is none but the newest in it.

    Raises:
        ValueError: There is no version.
    """
    newest = (
        _copy_of_newest(serving_root, copies)
        if is_remote(serving_root)
        else newest_version(Path(serving_root))
    )
    if newest is None:
        raise ValueError(
            f"{serving_root}: no model has been pushed there; run the pipeline: siamese run"
        )
    return newest


def newest_version(base: Path) -> Path | None:
    """The folder with the highest number in a base path, if there is one."""
    versions = [path for path in base.glob("*") if path.name.isdigit() and path.is_dir()]
    return max(versions, key=lambda path: int(path.name), default=None)


def _copy_of_newest(serving_root: str, copies: Path) -> Path | None:
    load_plugins(serving_root)
    from tfx.dsl.io import fileio
    from tfx.utils.io_utils import copy_dir

    # Its last file: a version without it is being written.
    found = fileio.glob(os.path.join(serving_root, "*", "saved_model.pb"))
    versions = {os.path.basename(os.path.dirname(os.fsdecode(path))) for path in found}
    number = max((one for one in versions if one.isdigit()), key=int, default=None)
    if number is None:
        return None
    if not (copies / number / "saved_model.pb").is_file():
        unfinished = copies / f".{number}"
        copy_dir(os.path.join(serving_root, number), str(unfinished))
        unfinished.rename(copies / number)
    for other in copies.iterdir():
        if other.name != number:
            shutil.rmtree(other)
    return copies / number
