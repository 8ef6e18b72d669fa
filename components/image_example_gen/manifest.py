"""Reads a manifest: a CSV file with a line for each image."""

from __future__ import annotations

import csv
import io
import os
import posixpath
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from base.errors import DataError
from base.printable import printable
from records import features
from storage.file_systems import is_remote, open_file

_REQUIRED = ("path", "label")
COLUMNS = (*_REQUIRED, "split", "group")

_DELIMITERS = (",", ";", "\t")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


class Row(NamedTuple):
    """A line of a manifest.

    Attributes:
        path: Relative to the data root, with slashes, and without `.` and `..` where possible.
        label: The class, in Unicode's composed form (NFC).
        split: One of `features.SPLITS`, if given.
        group: Which images belong together, if given.
    """

    path: str
    label: str
    split: str | None
    group: str | None


def read_manifest(root: str, manifest: str) -> list[Row]:
    """Return the lines of a manifest, each file once.

    Columns are separated by commas, semicolons or tabs. Blanks around a value do not count. A
    backslash separates folders, unless there is a local file whose name contains it.

    Args:
        root: The data root, a local path or an address.
        manifest: The file, relative to the root.

    Raises:
        DataError: It cannot be read, has no such columns or an unknown one, or a line is wrong.
    """
    path = os.path.join(root, manifest)
    rows: dict[str, Row] = {}
    for line, values in _lines(path):
        row = _row(values, root, f"{path}, line {line}")
        if rows.setdefault(row.path, row) != row:
            raise DataError(
                f"{path}, line {line}: {printable(row.path)} is also in an earlier line, with "
                "another label, split or group; remove one of them"
            )
    return list(rows.values())


def _lines(path: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each line with its values by column."""
    text = _text(path)
    header = text.splitlines()[0] if text else ""
    delimiter = max(_DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
        _check_columns(columns, path)
        for values in reader:
            if not any(value.strip() for value in values):
                continue
            if len(values) > len(columns):
                raise DataError(
                    f"{path}, line {reader.line_num}: has {len(values)} values for {len(columns)} "
                    f"columns; put a value that contains {delimiter!r} into double quotes"
                )
            yield reader.line_num, dict(zip(columns, map(str.strip, values), strict=False))
    except csv.Error as e:
        raise DataError(f"{path}: is not a CSV file ({e}); save the manifest as CSV") from e


def _text(path: str) -> str:
    try:
        with open_file(path, "rb") as file:
            content = file.read()
    except (FileNotFoundError, IsADirectoryError) as e:
        raise DataError(
            f"{path}: there is no such manifest; set data.manifest to a CSV file"
        ) from e
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = content.count(b"\n", 0, e.start) + 1
        raise DataError(
            f"{path}, line {line}: is not UTF-8 text; save the manifest as UTF-8 (in Excel: 'CSV "
            "UTF-8 (Comma delimited)')"
        ) from e


def _check_columns(columns: Sequence[str], path: str) -> None:
    names = ", ".join(printable(name) for name in columns) or "nothing"
    if missing := [name for name in _REQUIRED if name not in columns]:
        raise DataError(
            f"{path}: has no column {' and no column '.join(missing)}; its first line must name "
            f"path, label and optionally split and group, and names {names}"
        )
    if unknown := [printable(name) for name in columns if name not in COLUMNS]:
        raise DataError(
            f"{path}: has the unknown column {', '.join(map(repr, unknown))}; known are "
            f"{', '.join(COLUMNS)}. Rename or remove it"
        )
    if len(set(columns)) < len(columns):
        raise DataError(f"{path}: names a column twice in its first line: {names}")


def _row(values: Mapping[str, str], root: str, where: str) -> Row:
    name = values.get("path", "")
    label, split, group = (
        unicodedata.normalize("NFC", values.get(column, "")) for column in COLUMNS[1:]
    )
    if not name or not label:
        raise DataError(f"{where}: the path or the label is empty; fill it in")
    if split and split not in features.SPLITS:
        raise DataError(
            f"{where}: split {split!r} must be one of {', '.join(features.SPLITS)}, or empty"
        )
    if _DRIVE.match(name):
        raise DataError(
            f"{where}: {printable(name)} names a drive; give paths relative to the data root {root}"
        )
    return Row(_real_path(root, name), label, split or None, group or None)


def _real_path(root: str, name: str) -> str:
    """Return a path as the file system spells it, where that can differ from the manifest."""
    slashes = posixpath.normpath(name.replace("\\", "/"))
    if is_remote(root) or (slashes == name and name.isascii()):
        return slashes
    spellings = [slashes, *(unicodedata.normalize(form, slashes) for form in ("NFC", "NFD"))]
    if "\\" in name:
        spellings.insert(0, name)
    return next((s for s in spellings if os.path.exists(os.path.join(root, s))), slashes)
