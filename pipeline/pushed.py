"""The models that runs have pushed."""

from __future__ import annotations

from pathlib import Path


def newest_model(serving_root: str) -> Path:
    """The newest version below a base path.

    Raises:
        ValueError: There is none.
    """
    root = Path(serving_root)
    versions = [path for path in root.glob("*") if path.name.isdigit()] if root.is_dir() else []
    if not versions:
        raise ValueError(f"{root}: no model has been pushed there; run the pipeline: siamese run")
    return max(versions, key=lambda path: int(path.name))
