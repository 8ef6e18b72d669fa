"""Lists the files of a data set and their classes.

Folders are listed one by one and not by a pattern, so that a name may contain any character.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from typing import NamedTuple

from base.errors import DataError
from base.printable import printable
from images.file_names import NOT_UTF8, is_ignored
from records import features
from storage.file_systems import is_folder, list_folder, open_file

_OTHER_NAMES = {
    "training": features.TRAIN,
    "val": features.VALIDATION,
    "valid": features.VALIDATION,
    "dev": features.VALIDATION,
    "testing": features.TEST,
}
"""What other data sets call the splits."""

LAYOUTS = ("auto", "class_folders", "split_folders", "manifest")


class Source(NamedTuple):
    """A file that should contain an image.

    Attributes:
        path: Relative to the data root.
        label: Its class.
        split: The split that the data set gives it, if any.
        problem: Why its name makes it unusable; `path` is then escaped for printing.
    """

    path: str
    label: str
    split: str | None = None
    problem: str | None = None


class Folder(NamedTuple):
    """A class folder; or, without a label, the manifest.

    Attributes:
        path: Relative to the data root.
        label: The class.
        split: The split whose folder contains it, if any.
    """

    path: str
    label: str | None
    split: str | None = None


def list_sources(root: str, layout: str = "auto", manifest: str | None = None) -> list[Source]:
    """Return all files of a data set that are not ignored (`images.file_names`), by path.

    Args:
        root: The data root, a local path or an address.
        layout: One of `LAYOUTS`.
        manifest: For the layout `manifest`, the CSV file, relative to the root.

    Raises:
        DataError: There is no such folder or manifest, the manifest has no such columns, or no
            file is found.
    """
    sources = [
        source
        for folder in list_folders(root, layout, manifest)
        for source in sources_in(folder, root)
    ]
    if not sources:
        raise DataError(
            f"{root}: has no images; put them in one sub-folder per class, such as "
            f"{os.path.join(root, 'scratch', '1.jpg')}"
        )
    return sorted(sources, key=lambda source: source.path)


def list_folders(root: str, layout: str = "auto", manifest: str | None = None) -> list[Folder]:
    """Return the folders of a data set, see `list_sources`.

    Raises:
        DataError: There is no such data root, or a folder has another name of a split.
    """
    if not is_folder(root):
        raise DataError(f"{root}: there is no such folder; set data.root to a folder of images")
    if layout == "auto":
        layout = _detect(root, manifest)
    if layout == "manifest":
        return [Folder(manifest or "", None)]
    if layout == "split_folders":
        _refuse_other_names(root, set(_folders(root)))
        return [
            Folder(f"{split}/{label}", label, split)
            for split in features.SPLITS
            for label in _folders(os.path.join(root, split))
        ]
    return [Folder(label, label) for label in _folders(root)]


def sources_in(folder: Folder, root: str) -> Iterator[Source]:
    """Yield the files of a folder.

    Raises:
        DataError: There is no such manifest, or it has no such columns.
    """
    if folder.label is None:
        yield from _from_manifest(root, folder.path)
        return
    for name in _names(os.path.join(root, folder.path)):
        yield _source(f"{folder.path}/{name}", folder.label, folder.split)


def class_folders(root: str, layout: str = "auto", manifest: str | None = None) -> list[str]:
    """Return the classes: names of class folders, even empty ones, or labels in the manifest."""
    if layout == "auto":
        layout = _detect(root, manifest)
    if layout == "manifest":
        return sorted({source.label for source in _from_manifest(root, manifest or "")})
    tops = features.SPLITS if layout == "split_folders" else ("",)
    names = {name for top in tops for name in _folders(os.path.join(root, top))}
    return sorted(printable(name) for name in names)


def _source(path: str, label: str, split: str | None = None) -> Source:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return Source(printable(path), printable(label), split, NOT_UTF8)
    return Source(path, label, split)


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
    return [name for name in _names(root) if is_folder(os.path.join(root, name))]


def _names(folder: str) -> list[str]:
    names = list_folder(folder) if is_folder(folder) else []
    return [name for name in names if not is_ignored(name)]


def _from_manifest(root: str, manifest: str) -> list[Source]:
    path = os.path.join(root, manifest)
    try:
        with open_file(path, "rb") as file:
            content = file.read()
    except (FileNotFoundError, IsADirectoryError) as e:
        raise DataError(
            f"{path}: there is no such manifest; set data.manifest to a CSV file"
        ) from e
    try:
        table = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        columns, rows = table.fieldnames or [], list(table)
    except UnicodeDecodeError as e:
        raise DataError(f"{path}: is not UTF-8 text; save the manifest as UTF-8") from e
    except csv.Error as e:
        raise DataError(f"{path}: is not a CSV file ({e}); save the manifest as CSV") from e
    missing = [name for name in ("path", "label") if name not in columns]
    if missing:
        raise DataError(
            f"{path}: has no column {' and no column '.join(missing)}; its first line must name "
            f"path, label and optionally split, and names {', '.join(columns) or 'nothing'}"
        )
    sources: dict[str, Source] = {}
    for line, row in enumerate(rows, start=2):
        source = Source(row["path"] or "", row["label"] or "", row.get("split") or None)
        if not source.path or not source.label:
            raise DataError(f"{path}, line {line}: the path or the label is empty; fill it in")
        if source.split is not None and source.split not in features.SPLITS:
            raise DataError(
                f"{path}, line {line}: split {source.split!r} must be one of "
                f"{', '.join(features.SPLITS)}, or empty"
            )
        if sources.setdefault(source.path, source) != source:
            raise DataError(
                f"{path}, line {line}: {printable(source.path)} is also in an earlier line, with "
                "another label or split; remove one of them"
            )
    return list(sources.values())
