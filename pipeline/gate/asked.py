"""The configuration that an exported model is judged by, from the options of a command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from base.errors import UserError
from pipeline.config import reading
from pipeline.config.run_config import RunConfig


def settings_of(
    images: Path, thresholds: Path | None, config: Path | None, overrides: list[str]
) -> RunConfig:
    """Return the configuration that a model is judged by.

    Raises:
        UserError: The options contradict each other, or a file is wrong.
    """
    if thresholds and config:
        raise UserError("--thresholds and --config both set thresholds; give one of them")
    if config:
        return reading.load(config, overrides)
    if overrides:
        raise UserError("--set needs a configuration, which it changes; give one by --config")
    return reading.parse(with_thresholds(thresholds, images), str(thresholds or "--images"))


def with_thresholds(file: Path | None, images: Path) -> dict[str, Any]:
    """Return the required keys of a configuration, with the thresholds of a file, if any."""
    # No output is written, so that the current folder's name must not matter.
    values: dict[str, Any] = {"data": {"root": str(images)}, "output": os.sep}
    return {**values, "thresholds": reading.read_yaml(file)} if file else values
