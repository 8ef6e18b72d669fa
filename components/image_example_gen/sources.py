"""Which files there are, and which class each belongs to.

Files are listed folder by folder instead of by a pattern, so that a name may hold any character.
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

_CALLED_OTHERWISE = {
    "training": features.TRAIN,
    "val": features.VALIDATION,
    "valid": features.VALIDATION,
    "dev": features.VALIDATION,
    "testing": features.TEST,
}
"""What others call the splits."""

LAYOUTS = ("auto", "class_folders", "split_folders", "manifest")


class Source(NamedTuple):
    """A file that should hold an image.

    Attributes:
        path: Relative to the data root.
        label: Its class.
        split: The split that it was given, if any.
        problem: Why it cannot be used, where its name tells; `path` is then printable only.
    """

    path: str
    label: str
    split: str | None = None
    problem: str | None = None


class Folder(NamedTuple):
    """A class folder, to be listed by itself; or the manifest, then without a class.

    Attributes:
        path: Relative to the data root.
        label: The class.
        split: The split that it is in, if any.
    """

    path: str
    label: str | None
    split: str | None = None


def list_sources(root: str, layout: str = "auto", manifest: str | None = None) -> list[Source]:
    """All files of a data set, in the order of their paths. Hidden files are passed over.

    Args:
        root: The data root; a local path, or an address that TensorFlow reads.
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
            f"{root}: holds no images; put them in one sub-folder per class, such as "
            f"{os.path.join(root, 'scratch', '1.jpg')}"
        )
    return sorted(sources, key=lambda source: source.path)


def list_folders(root: str, layout: str = "auto", manifest: str | None = None) -> list[Folder]:
    """The folders of a data set, see `list_sources`.

    Raises:
        DataError: There is no such data root, or its splits are called otherwise than ours.
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
    """The files of one of the folders.

    Raises:
        DataError: There is no such manifest, or it has no such columns.
    """
    if folder.label is None:
        yield from _from_manifest(root, folder.path)
        return
    for name in _names(os.path.join(root, folder.path)):
        yield _source(f"{folder.path}/{name}", folder.label, folder.split)


def class_folders(root: str, layout: str = "auto", manifest: str | None = None) -> list[str]:
    """The classes that have a folder, empty ones too; those of the rows, for a manifest."""
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
    splits = {split for name in folders if (split := _split_called(name))}
    if features.TRAIN in splits and folders <= set(features.SPLITS):
        return "split_folders"
    if features.TRAIN in splits and len(splits) > 1:
        _refuse_other_names(root, folders)
        others = ", ".join(f"'{name}'" for name in sorted(folders - set(features.SPLITS)))
        raise DataError(
            f"{root}: holds splits, and {others} beside them; move that elsewhere. If all of these "
            "are classes, set data.layout to 'class_folders'"
        )
    return "class_folders"


def _split_called(name: str) -> str | None:
    """The split that a folder of this name is; None where it is a class."""
    lower = name.lower()
    return lower if lower in features.SPLITS else _CALLED_OTHERWISE.get(lower)


def _refuse_other_names(root: str, folders: set[str]) -> None:
    """Else the splits would be taken for classes, or one of them be passed over."""
    meant = {name: _split_called(name) for name in sorted(folders - set(features.SPLITS))}
    if odd := [f"'{name}' to '{split}'" for name, split in meant.items() if split]:
        raise DataError(
            f"{root}: the splits' folders are called {', '.join(features.SPLITS)}; rename "
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
        raise DataError(f"{path}: is no UTF-8 text; save the manifest as UTF-8") from e
    except csv.Error as e:
        raise DataError(f"{path}: is no CSV file ({e})") from e
    missing = [name for name in ("path", "label") if name not in columns]
    if missing:
        raise DataError(
            f"{path}: has no column {' and no column '.join(missing)}; its first line must name "
            f"path, label and (optional) split, and names {', '.join(columns) or 'nothing'}"
        )
    sources: dict[str, Source] = {}
    for line, row in enumerate(rows, start=2):
        source = Source(row["path"] or "", row["label"] or "", row.get("split") or None)
        if not source.path or not source.label:
            raise DataError(f"{path}, line {line}: the path or the label is empty")
        if source.split is not None and source.split not in features.SPLITS:
            raise DataError(
                f"{path}, line {line}: split {source.split!r} is none of "
                f"{', '.join(features.SPLITS)}"
            )
        if sources.setdefault(source.path, source) != source:
            raise DataError(
                f"{path}, line {line}: {printable(source.path)} is listed before, otherwise"
            )
    return list(sources.values())
