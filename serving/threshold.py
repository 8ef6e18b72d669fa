"""Sets another threshold in an exported model, without training: writes its next version.

Needs TensorFlow, but neither TFX nor our trainer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from base.errors import UserError
from base.graph_optimization import graphs_not_optimized
from serving.changed_version import write_changed
from serving.next_version import NextVersion, version_folder
from storage.lineage import next_lineage

NAMES = ("same", "known")
"""The model's decisions that have a threshold."""


class ThresholdError(UserError):
    """A threshold that cannot be set; the message says why."""


class Replaced(NamedTuple):
    """The result.

    Attributes:
        model: Folder of the version that was read.
        version: Folder of the version that was written.
        before: The thresholds of the former, by name.
        after: Those of the latter.
    """

    model: Path
    version: Path
    before: dict[str, float]
    after: dict[str, float]


def replace_threshold(
    model: Path,
    name: str,
    value: float,
    output: Path | None = None,
    check: Callable[[Path], None] | None = None,
) -> Replaced:
    """Write a model's next version, with another threshold.

    Args:
        model: Folder of a version, or a base path, of which the newest version is read.
        name: One of `NAMES`.
        value: The threshold; the model answers yes at and above it.
        output: Base path for the new version, a local folder; default: the model's own.
        check: Called with the candidate before it is published, see `NextVersion.candidate`; if it
            raises, no version is written.

    Raises:
        ThresholdError: The model was exported by an older version of this project.
        VersionError: There is no such model, or another version has appeared meanwhile.
        OSError: A file cannot be read or written.
    """
    source = version_folder(model)
    version = NextVersion(source, output)
    try:
        with graphs_not_optimized():
            loaded = tf.saved_model.load(str(source))
    except Exception as e:  # it raises many kinds for damaged models
        raise ThresholdError(f"{source}: cannot be loaded ({e})") from e
    if not hasattr(loaded, "threshold_variables"):
        raise ThresholdError(
            f"{source}: has no thresholds that can be replaced, as models exported by an older "
            "version of this project; train the model again"
        )
    before = {key: float(one.numpy()) for key, one in loaded.thresholds().items()}
    after = {**before, name: value}
    loaded.threshold_variables.replace(*(tf.constant(after[key], tf.float32) for key in NAMES))
    change = f"threshold of '{name}' {before[name]:.6g} → {value:.6g}"
    lineage = next_lineage(source, "threshold", (change,))
    with version.candidate() as candidate:
        write_changed(loaded, source, candidate, lineage)
        if check is not None:
            check(candidate)
    return Replaced(source, version.path, before, after)
