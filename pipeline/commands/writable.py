"""Refuses files that a command could not write, before it does any work."""

from __future__ import annotations

import os
from pathlib import Path

from base.errors import UserError


def refuse_unwritable(**files: Path | None) -> None:
    """Refuse files that cannot be written.

    Args:
        files: By the name of their option, without dashes; None: not asked for.

    Raises:
        UserError: One of them cannot be written.
    """
    for option, path in files.items():
        if path is None:
            continue
        if path.is_dir():
            raise UserError(f"--{option} {path}: is a folder; name a file")
        if not path.parent.is_dir():
            raise UserError(f"--{option} {path}: there is no folder {path.parent}; create it")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise UserError(f"--{option} {path}: cannot be written")
