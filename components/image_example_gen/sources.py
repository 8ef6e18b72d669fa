"""Lists the files of a data set and their classes.

Folders are listed one by one and not by a pattern, so that a name may contain any character.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from base.errors import DataError
from base.printable import printable
from components.image_example_gen import groups
from components.image_example_gen.manifest import read_manifest
from images.file_names import NOT_UTF8, is_ignored
from records import features
from storage.file_systems import Entry, is_folder, is_remote, list_entries

_OTHER_NAMES = {
    "training": features.TRAIN,
    "val": features.VALIDATION,
    "valid": features.VALIDATION,
    "dev": features.VALIDATION,
    "testing": features.TEST,
}
"""What other data sets call the splits."""

_LINK_LOOP = "is a link to a folder that contains it"


class Source(NamedTuple):
    """A file that should contain an image.

    Attributes:
        path: Relative to the data root, as the file system spells it.
        label: Its class, in Unicode's composed form (NFC).
        split: The split that the data set gives it, if any.
        problem: Why its name makes it unusable; `path` is then escaped for printing.
        group: The group that the data set gives it, if any: see `groups`.
    """

    path: str
    label: str
    split: str | None = None
    problem: str | None = None
    group: str | None = None


class Folder(NamedTuple):
    """A class folder; or, without a label, the manifest.

    Attributes:
        path: Relative to the data root, as the file system spells it.
        label: The class.
        split: The split whose folder contains it, if any.
        group_rule: What names the groups of its files: see `groups.group_of`.
    """

    path: str
    label: str | None
    split: str | None = None
    group_rule: str | None = None


def list_sources(
    root: str,
    layout: str = "auto",
    manifest: str | None = None,
    group_rule: str | None = None,
    classes: Sequence[str] | None = None,
) -> list[Source]:
    """Return all files of a data set that are not ignored (`images.file_names`), by path.

    Args:
        root: The data root, a local path or an address.
        layout: `auto`, `class_folders`, `split_folders` or `manifest`.
        manifest: For the layout `manifest`, the CSV file, relative to the root.
        group_rule: What names the groups of files in folders: see `groups.group_of`.
        classes: The classes that must exist; names that are easily confused are accepted if all
            of them are listed.

    Raises:
        DataError: There is no such folder or manifest, the manifest cannot be read, no file is
            found, classes are easily confused, or groups are missing or in two splits.
    """
    folders = list_folders(root, layout, manifest, group_rule)
    sources = [source for folder in folders for source in sources_in(folder, root)]
    if not sources and folders and folders[0].label is None:
        raise DataError(
            f"{os.path.join(root, folders[0].path)}: has no lines after its first one; add one "
            "with path and label for each image"
        )
    if not sources:
        raise DataError(
            f"{root}: has no images; put them in one sub-folder per class, such as "
            f"{os.path.join(root, 'scratch', '1.jpg')}"
        )
    _refuse_confusable(root, {source.label for source in sources}, classes or ())
    if layout == "auto" and folders[0].label is not None:
        _refuse_nested_splits(root, folders, sources)
    if folders[0].label is not None:
        groups.check_named(sources, root, group_rule)
    groups.check_splits(sources, root)
    return sorted(sources, key=lambda source: source.path)


def list_folders(
    root: str, layout: str = "auto", manifest: str | None = None, group_rule: str | None = None
) -> list[Folder]:
    """Return the folders of a data set, see `list_sources`.

    Raises:
        DataError: There is no such data root, a folder has another name of a split, or two folders
            are of the same class.
    """
    if not is_folder(root):
        raise DataError(f"{root}: there is no such folder; set data.root to a folder of images")
    if layout == "auto":
        layout = _detect(root, manifest)
    if layout == "manifest":
        return [Folder(manifest or "", None)]
    if layout == "split_folders":
        _refuse_other_names(root, set(_folders(root)))
    splits = features.SPLITS if layout == "split_folders" else (None,)
    return [
        Folder(f"{split}/{name}" if split else name, class_name(name), split, group_rule)
        for split in splits
        for name in _class_folders(os.path.join(root, split or ""))
    ]


def sources_in(folder: Folder, root: str) -> Iterator[Source]:
    """Yield the files of a folder and its sub-folders.

    Raises:
        DataError: There is no such manifest, or it cannot be read.
    """
    if folder.label is None:
        for row in read_manifest(root, folder.path):
            yield Source(row.path, row.label, row.split, group=row.group)
        return
    for name, problem in _files_below(os.path.join(root, folder.path)):
        path = f"{folder.path}/{name}"
        try:
            path.encode("utf-8")
        except UnicodeEncodeError:
            yield Source(printable(path), printable(folder.label), folder.split, NOT_UTF8)
        else:
            group = groups.group_of(folder.group_rule, name)
            yield Source(path, folder.label, folder.split, problem, group)


def class_folders(root: str, layout: str = "auto", manifest: str | None = None) -> list[str]:
    """Return the classes: names of class folders, even empty ones, or labels in the manifest."""
    folders = list_folders(root, layout, manifest)
    if folders and folders[0].label is None:
        return sorted({row.label for row in read_manifest(root, manifest or "")})
    return sorted({printable(folder.label) for folder in folders if folder.label is not None})


def class_name(name: str) -> str:
    """Return the class that a folder's name stands for: without blanks around it, in NFC."""
    return unicodedata.normalize("NFC", name).strip() or name


def files_beside_classes(root: str, layout: str = "auto", manifest: str | None = None) -> list[str]:
    """Return the files beside the class folders, which are not used; none for a manifest."""
    if layout == "auto":
        layout = _detect(root, manifest)
    if layout == "manifest":
        return []
    tops = ("", *features.SPLITS) if layout == "split_folders" else ("",)
    return [
        os.path.join(top, entry.name)
        for top in tops
        for entry in _entries(os.path.join(root, top))
        if not entry.is_folder
    ]


def _files_below(
    folder: str, within: str = "", above: tuple[str, ...] = ()
) -> Iterator[tuple[str, str | None]]:
    """Yield the files of a folder and its sub-folders, relative to it, and what is wrong with them.

    Args:
        folder: A local path or an address.
        within: The sub-folder to list, with a final slash.
        above: The real paths of the folders that contain it.
    """
    here = os.path.join(folder, within)
    above = above if is_remote(folder) else (*above, os.path.realpath(here))
    for entry in _entries(here):
        name = within + entry.name
        if not entry.is_folder:
            yield name, None
        elif _contains(os.path.join(here, entry.name), above):
            yield name, _LINK_LOOP
        else:
            yield from _files_below(folder, f"{name}/", above)


def _contains(folder: str, above: Iterable[str]) -> bool:
    """Return whether a folder is one of those above, or contains the highest of them."""
    real = os.path.realpath(folder)
    return any(one == real or one.startswith(f"{real.rstrip('/')}/") for one in above)


def _class_folders(folder: str) -> list[str]:
    """Return the names of class folders; refuse two that stand for the same class."""
    names = _folders(folder)
    found: dict[str, str] = {}
    for name in names:
        other = found.setdefault(class_name(name), name)
        if other != name:
            raise DataError(
                f"{folder}: the folders {other!r} ({other!a}) and {name!r} ({name!a}) "
                "look alike, but are spelled with other characters; move the files of one of them "
                "into the other"
            )
    return names


def _refuse_confusable(root: str, labels: Iterable[str], listed: Sequence[str]) -> None:
    """Refuse classes that differ in upper and lower case or blanks only."""
    accepted = {class_name(label) for label in listed}
    found: dict[str, str] = {}
    for label in sorted(labels):
        other = found.setdefault(" ".join(label.casefold().split()), label)
        if other != label and not {label, other} <= accepted:
            raise DataError(
                f"{root}: the classes {printable(other)!r} and {printable(label)!r} differ in "
                "upper and lower case or blanks only. If they are one class, move the files of "
                "one into the other, or correct the manifest; if not, list all classes in "
                "data.classes"
            )


def _refuse_nested_splits(root: str, folders: Sequence[Folder], sources: Iterable[Source]) -> None:
    """Refuse root/class/split/image, whose splits would be ignored."""
    nested: dict[str, str] = {}
    depth = 2 if any(folder.split for folder in folders) else 1
    for source in sources:
        parts = source.path.split("/")
        if len(parts) > depth + 1 and (split := _split_named(parts[depth])):
            nested.setdefault(split, "/".join(parts[: depth + 1]))
    if len(nested) > 1 and features.TRAIN in nested:
        one = nested[features.TRAIN]
        raise DataError(
            f"{root}: has folders of splits inside class folders, such as {printable(one)}; move "
            f"its files to {features.TRAIN}/{printable(one.rpartition('/')[0])}, and so on. If "
            "they are no splits, set data.layout to 'class_folders'"
        )


def _detect(root: str, manifest: str | None) -> str:
    if manifest:
        return "manifest"
    folders = set(_folders(root))
    splits = {split for name in folders if (split := _split_named(name))}
    if features.TRAIN in splits and folders <= set(features.SPLITS):
        return "split_folders"
    if features.TRAIN in splits and len(splits) > 1:
        _refuse_other_names(root, folders)
        others = ", ".join(f"'{name}'" for name in sorted(folders - set(features.SPLITS)))
        raise DataError(
            f"{root}: has folders of splits, and {others} next to them; move the latter elsewhere. "
            "If all of these are classes, set data.layout to 'class_folders'"
        )
    return "class_folders"


def _split_named(name: str) -> str | None:
    """Return the split that a folder of this name holds; None for a class."""
    lower = name.lower()
    return lower if lower in features.SPLITS else _OTHER_NAMES.get(lower)


def _refuse_other_names(root: str, folders: set[str]) -> None:
    """Refuse other names of splits: they would be taken for classes, or be ignored."""
    splits = {name: _split_named(name) for name in sorted(folders - set(features.SPLITS))}
    if odd := [f"'{name}' to '{split}'" for name, split in splits.items() if split]:
        raise DataError(
            f"{root}: the folders of splits must be {', '.join(features.SPLITS)}; rename "
            f"{', '.join(odd)}. If they are classes, set data.layout to 'class_folders'"
        )


def _folders(root: str) -> list[str]:
    return [entry.name for entry in _entries(root) if entry.is_folder]


def _entries(folder: str) -> list[Entry]:
    entries = list_entries(folder) if is_folder(folder) else []
    return [entry for entry in entries if not is_ignored(entry.name)]
