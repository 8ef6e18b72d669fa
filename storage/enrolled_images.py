"""Keeps the images that were enrolled in a model, so that a later model can have them too."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable
from typing import NamedTuple

from storage.file_systems import open_file
from storage.model_versions import newest_version

FILE = "assets.extra/enrolled_images.jsonl"
"""Path in a SavedModel's folder; servers ignore it. The support set holds embeddings alone."""


class EnrolledImage(NamedTuple):
    """An image of a class that was added without training.

    Attributes:
        label: Its class.
        source: Its name: the folder and the file, on one line.
        key: Key of its original file, see `records.training_keys`.
        image: The canonical encoded image.
    """

    label: str
    source: str
    key: int
    image: bytes


def read_enrolled_images(model: str | os.PathLike[str]) -> list[EnrolledImage]:
    """Return the images that were enrolled in a model; none in most models.

    Args:
        model: A SavedModel's folder, or its address.
    """
    return [
        EnrolledImage(one["label"], one["source"], one["key"], base64.b64decode(one["image"]))
        for one in map(json.loads, _text(model).splitlines())
    ]


def write_enrolled_images(model: str | os.PathLike[str], images: Iterable[EnrolledImage]) -> None:
    """Write the images into a SavedModel's folder, which has `assets.extra`."""
    with open_file(os.path.join(model, FILE), "w") as file:
        for one in images:
            fields = {**one._asdict(), "image": base64.b64encode(one.image).decode()}
            file.write(json.dumps(fields) + "\n")


def served_enrolled_images(base_path: str) -> list[EnrolledImage]:
    """Return the images that were enrolled in the newest version below a base path."""
    newest = newest_version(base_path)
    return read_enrolled_images(newest) if newest else []


def fingerprint(base_path: str) -> str:
    """Return a fingerprint of these images; empty if there are none."""
    newest = newest_version(base_path)
    text = _text(newest) if newest else ""
    return hashlib.sha256(text.encode()).hexdigest()[:16] if text else ""


def _text(model: str | os.PathLike[str]) -> str:
    try:
        with open_file(os.path.join(model, FILE)) as file:
            return file.read()
    except FileNotFoundError:
        return ""
