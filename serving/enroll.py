"""Adds classes to an exported model, or removes them, without training: writes its next version.

Only the values of the support set change, and of `training_keys`, the images that the model was
trained on. The graph is copied as it is: the new version computes what the old one was judged by,
in the same operations, whichever TensorFlow adds the class. The thresholds stay as they were
calibrated, without it.

Needs TensorFlow, but neither TFX nor our trainer.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from base.errors import UserError
from base.printable import printable
from images.canonical import UnusableImage, canonical_image
from images.file_names import is_ignored
from records import training_keys
from serving.next_version import NextVersion, version_folder

CHECKED_IMAGES = 8
"""Of the new ones, so many at most are given to the check."""

Check = Callable[[Path, Sequence[bytes]], None]
"""Looks at a candidate before any server can see it.

It is given the candidate's folder, as `NextVersion.candidate` describes it, and canonical images of
the new classes, `CHECKED_IMAGES` at most; none where classes are only removed. If it raises, the
candidate is gone.
"""

_BATCH = 8
_MOST_LISTED = 10


class EnrollError(UserError):
    """What was asked for cannot be done; the message says why."""


class Unusable(NamedTuple):
    """A file that is left out.

    Attributes:
        file: Its path.
        reason: A predicate ("is empty").
    """

    file: Path
    reason: str


class Enrolled(NamedTuple):
    """What has come of it.

    Attributes:
        model: The version that was taken.
        version: The one that was written.
        classes: Images of each class in the new version.
        added: Images that were added, by class.
        removed: Classes that were removed; some of them may have been added anew.
        unusable: Files that were left out.
    """

    model: Path
    version: Path
    classes: dict[str, int]
    added: dict[str, int]
    removed: list[str]
    unusable: list[Unusable]


def enroll(
    model: Path,
    add: Mapping[str, Path] | None = None,
    remove: Collection[str] = (),
    output: Path | None = None,
    extend: bool = False,
    check: Check | None = None,
) -> Enrolled:
    """Write a model's next version, with other classes.

    Args:
        model: Folder of a version, or a base path, of which the newest version is taken.
        add: Folder of images, by the name of the class that they are added to.
        remove: Classes to remove, before any is added: so one can be replaced.
        output: Base path for the new version, a local folder; the model's own, if left out.
        extend: Add to classes that there are already; else they must be new.
        check: Called with the candidate before it is published; nothing is checked by default.

    Raises:
        EnrollError: There is no such class, it is there already, fewer than two classes would be
            left, none of a class's images can be used, or the model is no model of ours.
        VersionError: There is no such model, or another version has appeared meanwhile.
        OSError: A file cannot be read or written.
    """
    add, remove = dict(add or {}), set(remove)
    source = version_folder(model)
    version = NextVersion(source, output)
    loaded = _load(source)
    rows = _rows(loaded.support)
    _check_classes(source, {row.label for row in rows}, add, remove, extend)
    rows = [row for row in rows if row.label not in remove]
    found = [_embed(loaded, label, folder) for label, folder in add.items()]
    # By class, as the trainer leaves them: it decides which of two equal scores comes first.
    rows = sorted([*rows, *(row for each in found for row in each.rows)], key=lambda row: row.label)
    loaded.support.replace(
        tf.constant(np.stack([row.embedding for row in rows])),
        tf.constant([row.label.encode() for row in rows]),
        tf.constant([row.source for row in rows]),
    )
    if hasattr(
        loaded, "training_keys"
    ):  # models that were exported by an older version have no such variable
        keys = {
            *loaded.training_keys.numpy().tolist(),
            *(key for each in found for key in each.keys),
        }
        loaded.training_keys.assign(sorted(keys))
    with version.candidate() as candidate:
        _write(loaded, source, candidate)
        if check is not None:
            images = [image for each in found for image in each.images]
            check(candidate, images[:CHECKED_IMAGES])
    return Enrolled(
        model=source,
        version=version.path,
        classes=dict(Counter(row.label for row in rows)),
        added={label: len(each.rows) for label, each in zip(add, found, strict=True)},
        removed=sorted(remove),
        unusable=[one for each in found for one in each.unusable],
    )


class _Row(NamedTuple):
    """An image of the support set.

    Attributes:
        label: Its class.
        source: What it is called.
        embedding: float32 [d].
    """

    label: str
    source: bytes
    embedding: np.ndarray


class _Found(NamedTuple):
    """What a folder holds.

    Attributes:
        rows: Of the images that can be used.
        keys: Of the same images, see `records.training_keys`.
        images: The first of these, canonical.
        unusable: Files that are left out.
    """

    rows: list[_Row]
    keys: list[int]
    images: list[bytes]
    unusable: list[Unusable]


def _load(model: Path) -> Any:
    try:
        loaded = tf.saved_model.load(str(model))
    except Exception as e:  # it raises many kinds for damaged models
        raise EnrollError(f"{model}: cannot be loaded ({e})") from e
    if "embed" not in loaded.signatures or not hasattr(loaded, "support"):
        raise EnrollError(
            f"{model}: has no signature 'embed' or no support set that can be changed; train the "
            "model anew"
        )
    return loaded


def _rows(support: Any) -> list[_Row]:
    columns = (support.labels.numpy(), support.sources.numpy(), support.embeddings.numpy())
    return [_Row(label.decode(), *rest) for label, *rest in zip(*columns, strict=True)]


def _check_classes(
    model: Path, present: set[str], add: Collection[str], remove: set[str], extend: bool
) -> None:
    def listed(names: Collection[str]) -> str:
        return ", ".join(f"'{printable(name)}'" for name in sorted(names))

    if not (add or remove):
        raise EnrollError("there is nothing to do: name images to add, or a class to remove")
    if odd := {name for name in add if not name.strip() or name != printable(name)}:
        raise EnrollError(
            f"{listed(odd)}: a class is called by one line of text; give it by --name"
        )
    if unknown := remove - present:
        raise EnrollError(
            f"{model}: cannot remove {listed(unknown)}; the classes are {listed(present)}"
        )
    left = present - remove
    if extend and (unknown := set(add) - left):
        raise EnrollError(
            f"{model}: cannot extend {listed(unknown)}; the classes are {listed(left)}"
        )
    if not extend and (known := set(add) & left):
        raise EnrollError(
            f"{model}: has {listed(known)} already; --extend adds the images to those there, "
            "--remove puts them in their place"
        )
    if len(classes := left | set(add)) < 2:
        raise EnrollError(
            f"{model}: would be left with {listed(classes) or 'no class'}; it takes two classes to "
            "tell one from the other"
        )


def _embed(loaded: Any, label: str, folder: Path) -> _Found:
    found = _Found([], [], [], [])
    for images in _batches(_files(folder), found.unusable):
        encoded = [image for image, _ in images.values()]
        answer = loaded.signatures["embed"](image=tf.constant(encoded))
        embeddings, valid = answer["embedding"].numpy(), answer["valid"].numpy()
        for (file, (image, key)), embedding, is_valid in zip(
            images.items(), embeddings, valid, strict=True
        ):
            if not is_valid:
                reason = "has more pixels than the data.max_pixels that the model was trained with"
                found.unusable.append(Unusable(file, reason))
            elif not np.isfinite(embedding).all():
                found.unusable.append(Unusable(file, "has an embedding that is no number"))
            else:
                # As training images are called: by their class's folder and their name.
                source = printable(f"{folder.absolute().name}/{file.name}").encode()
                found.rows.append(_Row(label, source, embedding))
                found.keys.append(key)
                if len(found.images) < CHECKED_IMAGES:
                    found.images.append(image)
    if not found.rows:
        lines = [f"{printable(str(file))} {why}" for file, why in found.unusable[:_MOST_LISTED]]
        if more := len(found.unusable) - len(lines):
            lines.append(f"and {more} more")
        lines.insert(0, f"{folder}: holds no image of '{label}' that can be used")
        raise EnrollError("\n  ".join(lines))
    return found


def _batches(
    files: Sequence[Path], unusable: list[Unusable]
) -> Iterator[dict[Path, tuple[bytes, int]]]:
    """Canonical images and keys by file, a few at a time; those that are none go to `unusable`."""
    for start in range(0, len(files), _BATCH):
        images = {}
        for file in files[start : start + _BATCH]:
            try:
                data = file.read_bytes()
                images[file] = canonical_image(data).data, training_keys.key_of_file(data)
            except UnusableImage as e:
                unusable.append(Unusable(file, str(e)))
            except OSError as e:
                unusable.append(Unusable(file, f"cannot be read ({e.strerror})"))
        if images:
            yield images


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise EnrollError(f"{folder}: there is no such folder; name one with a class's images")
    paths = sorted(path for path in folder.iterdir() if not is_ignored(path.name))
    if paths and all(path.is_dir() for path in paths):
        raise EnrollError(f"{folder}: holds folders only; name each class's folder by itself")
    return paths


def _write(loaded: Any, source: Path, candidate: Path) -> None:
    """Copy a SavedModel, but for the variables' values, which are those of `loaded`."""

    def changed(folder: str, names: list[str]) -> list[str]:
        if Path(folder) == source / "variables":
            return names
        # It is a hash of the old values too.
        return ["fingerprint.pb"] if Path(folder) == source else []

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
