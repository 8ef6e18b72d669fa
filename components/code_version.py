"""A fingerprint of source code, so that a change of code invalidates the steps that run it.

TFX's cache knows a step's inputs and properties but not its code, so the fingerprint travels as a
property.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

_ROOT = Path(__file__).parent.parent


def code_version(*paths: str) -> str:
    """SHA-256, shortened, over Python files.

    Args:
        paths: Files, or folders taken with all below them, relative to the top of the code base
            (`trainer`, `records/features.py`).

    Raises:
        FileNotFoundError: There is no such file or folder.
    """
    digest = hashlib.sha256()
    for path in paths:
        start = _ROOT / path
        files = sorted(start.rglob("*.py")) if start.is_dir() else [start]
        for file in files:
            digest.update(str(file.relative_to(_ROOT)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
