"""The image size that a saved encoder takes, read without Keras."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any


def with_encoder_size(values: dict[str, Any]) -> None:
    """Set `image.size`, unless it is given, to the size of a saved encoder.

    Args:
        values: Keys and values, as a YAML file holds them, which are changed.
    """
    model, image = values.get("model") or {}, values.get("image") or {}
    if not isinstance(model, dict) or not isinstance(image, dict) or "size" in image:
        return
    if size := _input_size(str(model.get("backbone"))):
        values["image"] = {**image, "size": size}


def _input_size(path: str) -> int | None:
    """Return the height of the images that a `.keras` file takes; None if it is not known."""
    if not path.endswith(".keras") or not Path(path).is_file():
        return None
    try:
        with zipfile.ZipFile(path) as file:
            layers = json.loads(file.read("config.json"))["config"]["layers"]
        [first] = [one["config"] for one in layers if one["class_name"] == "InputLayer"]
        _, height, width, _ = first["batch_shape"]
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
        return None  # loading it says what is wrong
    return height if isinstance(height, int) and height == width else None
