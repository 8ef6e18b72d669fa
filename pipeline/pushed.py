"""The models that runs have pushed."""

from __future__ import annotations

from pathlib import Path


def newest_model(serving_root: str) -> Path:
    """The newest version below a base path.

    Raises:
        ValueError: There is none.
    """
    newest = newest_version(Path(serving_root))
    if newest is None:
        raise ValueError(
            f"{serving_root}: no model has been pushed there; run the pipeline: siamese run"
        )
    return newest


def newest_version(base: Path) -> Path | None:
    """The folder with the highest number in a base path, if there is one."""
    versions = [path for path in base.glob("*") if path.name.isdigit() and path.is_dir()]
    return max(versions, key=lambda path: int(path.name), default=None)
