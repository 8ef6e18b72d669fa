"""The image files that a command line names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from images import file_names


def files_below(paths: Sequence[Path]) -> list[Path]:
    """Return the files among `paths`, and all in its folders that are not ignored, sorted.

    Raises:
        ValueError: A folder has no file.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        below = sorted(map(Path, file_names.files_below(str(path))))
        if not any(file.is_file() for file in below):
            raise ValueError(f"{path}: there is no file in this folder; name one with images")
        files += [file for file in below if file.is_file()]
    return files
