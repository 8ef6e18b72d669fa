"""Loads an exported model whose variables are to be changed, and writes it with their new values.

The graph is copied as it is, so that the new version computes what the old one was judged by,
whichever TensorFlow changes it.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import tensorflow as tf

from storage.lineage import Lineage, write_lineage


def write_changed(
    loaded: Any, source: Path, candidate: Path, lineage: Lineage, without: Collection[str] = ()
) -> None:
    """Copy a SavedModel, with the variables' values of `loaded`.

    Args:
        loaded: The model, loaded from `source` and changed.
        source: Its folder.
        candidate: The folder to write.
        lineage: What it is made of, which replaces that of `source`.
        without: Names of files that are not copied.
    """

    def changed(folder: str, names: list[str]) -> list[str]:
        if Path(folder) == source / "variables":
            return names
        # The fingerprint includes a hash of the old values.
        return ["fingerprint.pb"] if Path(folder) == source else list(without)

    shutil.copytree(source, candidate, ignore=changed)
    variables = str(candidate / "variables" / "variables")
    tf.train.Checkpoint(loaded).write(variables)
    # The graph restores them by name.
    names, expected = (
        [name for name, _ in tf.train.list_variables(prefix)]
        for prefix in (variables, str(source / "variables" / "variables"))
    )
    if names != expected:
        raise RuntimeError(f"{source}: its variables are {expected}; they became {names}")
    write_lineage(candidate, lineage)
