"""The image files that a command line names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def files_below(paths: Sequence[Path]) -> list[Path]:
    """The files among `paths` as they are, and all below its folders but hidden ones, sorted.

    Raises:
        ValueError: A folder has no file.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        below = [
            file
            for file in sorted(path.rglob("*"))
            if file.is_file()
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        ]
        if not below:
            raise ValueError(f"{path}: there is no file in this folder; name one with images")
        files += below
    return files
