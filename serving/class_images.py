"""Embeds the images of a class, to become support images of a model. Needs TensorFlow."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from base.errors import UserError
from base.printable import printable
from images.canonical import UnusableImage, canonical_image
from images.file_names import is_ignored
from records import training_keys
from storage.enrolled_images import EnrolledImage

_BATCH = 8
_MOST_LISTED = 10


class EnrollError(UserError):
    """A request that cannot be fulfilled; the message says why."""


class Unusable(NamedTuple):
    """A file that is left out.

    Attributes:
        file: Its path.
        reason: A predicate ("is empty").
    """

    file: Path
    reason: str


class SupportRow(NamedTuple):
    """An image of the support set.

    Attributes:
        label: Its class.
        source: Its name.
        embedding: float32 [d].
    """

    label: str
    source: bytes
    embedding: np.ndarray


class ClassImages(NamedTuple):
    """The images of a class in a folder.

    Attributes:
        rows: The usable images, as rows of the support set.
        images: The same images.
        unusable: Files that are left out.
    """

    rows: list[SupportRow]
    images: list[EnrolledImage]
    unusable: list[Unusable]


def embed_class(loaded: Any, label: str, folder: Path, taken: Collection[str] = ()) -> ClassImages:
    """Return the images of a folder with their embeddings by a model.

    Args:
        loaded: The SavedModel, with the signature `embed`.
        label: Their class.
        folder: The folder.
        taken: Names of the images that the model has; another one of that name gets a number.

    Raises:
        EnrollError: There is no such folder, or no image in it is usable.
    """
    found = ClassImages([], [], [])
    names = set(taken)
    for images in _batches(label, _files(folder), found.unusable):
        answer = loaded.signatures["embed"](image=tf.constant([one.image for _, one in images]))
        embeddings, valid = answer["embedding"].numpy(), answer["valid"].numpy()
        for (file, image), embedding, is_valid in zip(images, embeddings, valid, strict=True):
            if not is_valid:
                reason = "has more pixels than the data.max_pixels that the model was trained with"
                found.unusable.append(Unusable(file, reason))
            elif not np.isfinite(embedding).all():
                found.unusable.append(Unusable(file, "has an embedding that is not finite"))
            else:
                name = _free_name(image.source, names)
                names.add(name)
                found.rows.append(SupportRow(label, name.encode(), embedding))
                found.images.append(image._replace(source=name))
    if not found.rows:
        lines = [f"{printable(str(file))} {why}" for file, why in found.unusable[:_MOST_LISTED]]
        if more := len(found.unusable) - len(lines):
            lines.append(f"and {more} more")
        lines.insert(0, f"{folder}: holds no usable image of '{label}'")
        raise EnrollError("\n  ".join(lines))
    return found


def _batches(
    label: str, files: Sequence[Path], unusable: list[Unusable]
) -> Iterator[list[tuple[Path, EnrolledImage]]]:
    """Yield canonical images, a few at a time; files that are none are added to `unusable`."""
    for start in range(0, len(files), _BATCH):
        images = []
        for file in files[start : start + _BATCH]:
            # Named as training images are: by the folder of the class and the file.
            source = printable(f"{file.parent.absolute().name}/{file.name}")
            try:
                data = file.read_bytes()
                key, image = training_keys.key_of_file(data), canonical_image(data).data
                images.append((file, EnrolledImage(label, source, key, image)))
            except UnusableImage as e:
                unusable.append(Unusable(file, str(e)))
            except OSError as e:
                unusable.append(Unusable(file, f"cannot be read ({e.strerror})"))
        if images:
            yield images


def _free_name(name: str, taken: Collection[str]) -> str:
    """Return a name, with a number before its suffix if it is taken."""
    stem, suffix = os.path.splitext(name)
    numbered = (f"{stem} ({number}){suffix}" for number in itertools.count(2))
    return next(one for one in itertools.chain([name], numbered) if one not in taken)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise EnrollError(f"{folder}: there is no such folder; name one with a class's images")
    paths = sorted(path for path in folder.iterdir() if not is_ignored(path.name))
    if paths and all(path.is_dir() for path in paths):
        raise EnrollError(f"{folder}: holds folders only; name each class's folder by itself")
    return paths
