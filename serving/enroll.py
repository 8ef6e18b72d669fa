"""Adds classes to an exported model, or removes them, without training: writes its next version.

Only the values of the support set and of `training_keys` change (`serving.changed_version`).
The thresholds stay as they were calibrated, without the class. The images of added classes are kept
in the version (`storage.enrolled_images`): the next training carries them over.

Needs TensorFlow, but neither TFX nor our trainer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from base.errors import UserError
from base.printable import printable, text_of
from images.canonical import UnusableImage, canonical_image
from images.file_names import is_ignored
from judging.classifier import right_by_class
from records import training_keys
from serving.changed_version import write_changed
from serving.next_version import NextVersion, version_folder
from storage.enrolled_images import FILE, EnrolledImage, read_enrolled_images, write_enrolled_images
from storage.lineage import Lineage, next_lineage

CHECKED_IMAGES = 8
"""Most new images that the check gets."""

Check = Callable[[Path, Sequence[bytes]], None]
"""Checks a candidate before a server can see it.

Called with the candidate's folder, as `NextVersion.candidate` describes it, and at most
`CHECKED_IMAGES` canonical images of the new classes; none if classes are only removed. If it
raises, no version is written.
"""

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


class Changes(NamedTuple):
    """What is changed of the support images that are there, besides whole classes.

    Attributes:
        remove: Names of images to remove, as the model names them.
        move: Names of images, and the class of each; a class that does not exist becomes one.
    """

    remove: Collection[str] = ()
    move: Mapping[str, str] = {}


class Enrolled(NamedTuple):
    """The result.

    Attributes:
        model: Folder of the version that was read.
        version: Folder of the version that was written.
        classes: Images per class in the new version.
        added: Images that were added, by class.
        removed: Classes that were removed; some of them may have been added anew.
        unusable: Files that were left out.
        changed: Support images that were removed one by one, or moved.
        before: By class, how many support images are classified correctly by the others, each left
            out in turn, and how many there are; without classes of a single image.
        after: The same in the new version.
    """

    model: Path
    version: Path
    classes: dict[str, int]
    added: dict[str, int]
    removed: list[str]
    unusable: list[Unusable]
    changed: int
    before: dict[str, tuple[int, int]]
    after: dict[str, tuple[int, int]]


def enroll(
    model: Path,
    add: Mapping[str, Path] | None = None,
    remove: Collection[str] = (),
    output: Path | None = None,
    extend: bool | None = False,
    check: Check | None = None,
    changes: Changes = Changes(),  # noqa: B008 -- is immutable
) -> Enrolled:
    """Write a model's next version, with other classes.

    Args:
        model: Folder of a version, or a base path, of which the newest version is read.
        add: Folders of images, by the class that they are added to.
        remove: Classes to remove, before others are added: so a class can be replaced.
        output: Base path for the new version, a local folder; default: the model's own.
        extend: Whether the classes that images are added to exist already; None: some may.
        check: Called with the candidate before it is published; default: no check.
        changes: Of single images, which come first.

    Raises:
        EnrollError: A class or an image does not exist, a class exists already, fewer than two
            classes would remain, no image of a class is usable, or the model was not exported by
            this project.
        VersionError: There is no such model, or another version has appeared meanwhile.
        OSError: A file cannot be read or written.
    """
    add, remove = dict(add or {}), set(remove)
    source = version_folder(model)
    version = NextVersion(source, output)
    loaded = _load(source)
    rows = old = _rows(loaded.support)
    if not (add or remove or changes.remove or changes.move):
        raise EnrollError("there is nothing to do: name images to add, or a class to remove")
    if changes.remove or changes.move:
        rows = _changed(source, rows, changes)
    _check_classes(source, {row.label for row in rows}, add, remove, extend)
    found = [_embed(loaded, label, folder) for label, folder in add.items()]
    images = [image for each in found for image in each.images]

    rows = [row for row in rows if row.label not in remove]
    rows += [row for each in found for row in each.rows]
    _replace_support(loaded, rows)
    _add_training_keys(loaded, images)
    kept = _changed_enrolled(read_enrolled_images(source), changes)
    kept = [one for one in kept if one.label not in remove]
    classes = dict(sorted(Counter(row.label for row in rows).items()))
    added = {label: len(each.rows) for label, each in zip(add, found, strict=True)}
    lineage = next_lineage(source, "enrolment", _in_words(added, remove, changes), classes)
    with version.candidate() as candidate:
        _write(loaded, source, candidate, lineage, [*kept, *images])
        if check is not None:
            check(candidate, [one.image for one in images[:CHECKED_IMAGES]])
    return Enrolled(
        model=source,
        version=version.path,
        classes=classes,
        added=added,
        removed=sorted(remove),
        unusable=[one for each in found for one in each.unusable],
        changed=len(set(changes.remove) | set(changes.move)),
        before=_right(old),
        after=_right(rows),
    )


class _Row(NamedTuple):
    """An image of the support set.

    Attributes:
        label: Its class.
        source: Its name.
        embedding: float32 [d].
    """

    label: str
    source: bytes
    embedding: np.ndarray


class _Found(NamedTuple):
    """The content of a folder.

    Attributes:
        rows: The usable images, as rows of the support set.
        images: The same images.
        unusable: Files that are left out.
    """

    rows: list[_Row]
    images: list[EnrolledImage]
    unusable: list[Unusable]


def _load(model: Path) -> Any:
    try:
        loaded = tf.saved_model.load(str(model))
    except Exception as e:  # it raises many kinds for damaged models
        raise EnrollError(f"{model}: cannot be loaded ({e})") from e
    if "embed" not in loaded.signatures or not hasattr(loaded, "support"):
        raise EnrollError(
            f"{model}: has no signature 'embed' or no support set that can be changed; train the "
            "model again"
        )
    return loaded


def _rows(support: Any) -> list[_Row]:
    columns = (support.labels.numpy(), support.sources.numpy(), support.embeddings.numpy())
    return [_Row(label.decode(), *rest) for label, *rest in zip(*columns, strict=True)]


def _right(rows: Sequence[_Row]) -> dict[str, tuple[int, int]]:
    embeddings = np.stack([row.embedding for row in rows])
    return right_by_class(embeddings, np.array([row.label for row in rows]))


def _changed(model: Path, rows: Sequence[_Row], changes: Changes) -> list[_Row]:
    """Return the support images after changes of single ones."""
    there = {text_of(row.source) for row in rows}
    if missing := sorted({*changes.remove, *changes.move} - there):
        raise EnrollError(f"{model}: has no support image '{printable(missing[0])}'")
    if odd := [label for label in changes.move.values() if not _is_class_name(label)]:
        raise EnrollError(f"'{printable(odd[0])}': a class's name is one line of text")
    return [
        row._replace(label=changes.move.get(text_of(row.source), row.label))
        for row in rows
        if text_of(row.source) not in changes.remove
    ]


def _changed_enrolled(images: Iterable[EnrolledImage], changes: Changes) -> list[EnrolledImage]:
    return [
        one._replace(label=changes.move.get(one.source, one.label))
        for one in images
        if one.source not in changes.remove
    ]


def _is_class_name(label: str) -> bool:
    return bool(label.strip()) and label == printable(label)


def _check_classes(
    model: Path, present: set[str], add: Collection[str], remove: set[str], extend: bool | None
) -> None:
    def listed(names: Collection[str]) -> str:
        return ", ".join(f"'{printable(name)}'" for name in sorted(names))

    if odd := {name for name in add if not _is_class_name(name)}:
        raise EnrollError(f"{listed(odd)}: a class's name is one line of text; give it by --name")
    if unknown := remove - present:
        raise EnrollError(
            f"{model}: cannot remove {listed(unknown)}; the classes are {listed(present)}"
        )
    left = present - remove
    if extend and (unknown := set(add) - left):
        raise EnrollError(
            f"{model}: cannot extend {listed(unknown)}; the classes are {listed(left)}"
        )
    if extend is False and (known := set(add) & left):
        raise EnrollError(
            f"{model}: has {listed(known)} already; --extend adds the images to the class, "
            "--remove replaces its images"
        )
    if len(classes := left | set(add)) < 2:
        raise EnrollError(
            f"{model}: would be left with {listed(classes) or 'no class'}; at least two classes "
            "must remain"
        )


def _embed(loaded: Any, label: str, folder: Path) -> _Found:
    found = _Found([], [], [])
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
                found.rows.append(_Row(label, image.source.encode(), embedding))
                found.images.append(image)
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


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise EnrollError(f"{folder}: there is no such folder; name one with a class's images")
    paths = sorted(path for path in folder.iterdir() if not is_ignored(path.name))
    if paths and all(path.is_dir() for path in paths):
        raise EnrollError(f"{folder}: holds folders only; name each class's folder by itself")
    return paths


def _replace_support(loaded: Any, rows: Sequence[_Row]) -> None:
    # Sorted by class as the trainer exports it: the order decides which of two equal scores wins.
    rows = sorted(rows, key=lambda row: row.label)
    loaded.support.replace(
        tf.constant(np.stack([row.embedding for row in rows])),
        tf.constant([row.label.encode() for row in rows]),
        tf.constant([row.source for row in rows]),
    )


def _add_training_keys(loaded: Any, images: Sequence[EnrolledImage]) -> None:
    if hasattr(loaded, "training_keys"):  # else it was exported by an older version
        known = loaded.training_keys.numpy().tolist()
        loaded.training_keys.assign(sorted({*known, *(one.key for one in images)}))


def _in_words(
    added: Mapping[str, int], removed: Collection[str], changes: Changes
) -> tuple[str, ...]:
    """Return what is done, in words."""
    moved = Counter(changes.move.values())
    gone = len(set(changes.remove))
    return (
        *([f"removed {gone} support images"] if gone else []),
        *(f"moved {count} support images to '{label}'" for label, count in moved.items()),
        *(f"removed '{label}'" for label in sorted(removed)),
        *(f"added {count} images to '{label}'" for label, count in added.items()),
    )


def _write(
    loaded: Any,
    source: Path,
    candidate: Path,
    lineage: Lineage,
    enrolled: Sequence[EnrolledImage],
) -> None:
    """Copy a SavedModel, with the variables' values of `loaded`, and add the enrolled images."""
    write_changed(loaded, source, candidate, lineage, without=[Path(FILE).name])
    if enrolled:
        (candidate / FILE).parent.mkdir(exist_ok=True)
        write_enrolled_images(candidate, enrolled)
