"""Resolves the paths of a configuration, which are relative to its file.

A path that exists in the current folder alone is taken from there, with a warning. Addresses such
as gs://bucket and absolute paths stay as they are.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.config.errors import ConfigError
from storage.file_systems import absolute, is_remote

_READ = (
    "data.root",
    "data.unlabelled",
    "judge.unknown",
    "tuner.reuse",
    "model.backbone",
    "model.weights",
)
_WRITTEN = ("output", "artifacts", "push.destination", "traffic.store")
_OPTIONAL = ("judge.unknown", "tuner.reuse", "artifacts", "push.destination", "traffic.store")
_DEFAULTS = {"output": "runs", "name": "siamese"}
_NOT_A_PATH = {"model.weights": ("imagenet", "none")}


def resolve(values: dict[str, Any], folder: Path, source: str, typed: Collection[str] = ()) -> None:
    """Replace relative paths by paths from the current folder.

    Args:
        values: Keys and values of a configuration, which are changed.
        folder: Folder of its file.
        source: The file's name in warnings.
        typed: Keys that the command line has set; their paths are relative to the current folder.

    Raises:
        ConfigError: A path is empty.
    """
    name = str(values.get("name") or _DEFAULTS["name"])
    for key in (*_READ, *_WRITTEN):
        path = _get(values, key)
        if isinstance(path, str) and not path.strip():
            fix = "give a path, or null for none" if key in _OPTIONAL else "give a path"
            raise ConfigError(f"{source}: {key}: is empty; {fix}")
        if isinstance(path, str) and _is_relative(key, path) and not _is_typed(key, typed):
            probe = f"{path}/{name}" if key == "output" else path
            if "{SPAN}" in path:
                probe = os.path.dirname(path.partition("{SPAN}")[0])
            found = path
            if (folder / probe).exists() or not Path(probe).exists():
                found = _from_here(folder / path)
                if not os.path.isabs(found) and not _is_relative(key, found):
                    found = f"./{found}"  # else a name, such as that of a backbone
            elif not folder.resolve().samefile("."):
                _warn(f"{source}: {key}: {path} is taken from the current folder, since it is not "
                      f"in {folder}; paths are relative to the configuration's folder")  # fmt: skip
            _set(values, key, found)


def with_absolute_paths(values: dict[str, Any]) -> dict[str, Any]:
    """Make all paths absolute, and return the values."""
    for key in (*_READ, *_WRITTEN):
        path = _get(values, key)
        if isinstance(path, str) and _is_relative(key, path):
            _set(values, key, absolute(path))
    return values


def _is_relative(key: str, path: str) -> bool:
    if key == "model.backbone" and not path.endswith((".keras", ".h5")) and "/" not in path:
        return False
    return path not in _NOT_A_PATH.get(key, ()) and not is_remote(path) and not os.path.isabs(path)


def _is_typed(key: str, typed: Collection[str]) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in typed)


def _from_here(path: Path) -> str:
    """Return a path from the current folder if it is below, else an absolute one."""
    whole = os.path.abspath(path)
    return os.path.relpath(whole) if Path(whole).is_relative_to(Path.cwd()) else whole


def _get(values: Mapping[str, Any], key: str) -> Any:
    *sections, last = key.split(".")
    for section in sections:
        below = values.get(section)
        values = below if isinstance(below, Mapping) else {}
    return values.get(last, _DEFAULTS.get(key))


def _set(values: dict[str, Any], key: str, path: str) -> None:
    *sections, last = key.split(".")
    for section in sections:
        values = values[section]
    values[last] = path


@cache
def _warn(message: str) -> None:
    """Say it once; without a logging configuration it goes to standard error."""
    logging.getLogger(__name__).warning("Warning: %s", message)
