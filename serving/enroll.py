"""Adds classes to an exported model, or removes them, without training: writes its next version.

Only the values of the support set and of `training_keys` change (`serving.changed_version`).
The thresholds stay as they were calibrated, without the class. The images of added classes are kept
in the version (`storage.enrolled_images`): the next training carries them over.

Needs TensorFlow, but neither TFX nor our trainer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from base.counted import counted
from base.graph_optimization import graphs_not_optimized
from base.printable import printable, text_of
from judging.classifier import right_by_class
from serving.changed_version import write_changed
from serving.class_images import EnrollError, SupportRow, Unusable, embed_class
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
    taken = {text_of(row.source) for row in rows if row.label not in remove}
    with graphs_not_optimized():
        found = []
        for label, folder in add.items():
            found.append(embed_class(loaded, label, folder, taken))
            taken.update(image.source for image in found[-1].images)
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


@graphs_not_optimized()
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


def _rows(support: Any) -> list[SupportRow]:
    columns = (support.labels.numpy(), support.sources.numpy(), support.embeddings.numpy())
    return [SupportRow(label.decode(), *rest) for label, *rest in zip(*columns, strict=True)]


def _right(rows: Sequence[SupportRow]) -> dict[str, tuple[int, int]]:
    embeddings = np.stack([row.embedding for row in rows])
    return right_by_class(embeddings, np.array([row.label for row in rows]))


def _changed(model: Path, rows: Sequence[SupportRow], changes: Changes) -> list[SupportRow]:
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


def _replace_support(loaded: Any, rows: Sequence[SupportRow]) -> None:
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
        *([f"removed {counted(gone, 'support image')}"] if gone else []),
        *(f"moved {counted(n, 'support image')} to '{label}'" for label, n in moved.items()),
        *(f"removed '{label}'" for label in sorted(removed)),
        *(f"added {counted(n, 'image')} to '{label}'" for label, n in added.items()),
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
