"""Names of classes that people type: each becomes the name of a folder."""

from __future__ import annotations

import unicodedata

from base.errors import UserError
from base.printable import printable
from images.file_names import is_ignored

_LONGEST = 200
"""Bytes of a folder's name; file systems take 255."""


class LabelError(UserError):
    """A name that no class can have."""


def class_label(text: str) -> str:
    """Return a class's name as folders spell it: without blanks around it, in NFC.

    Raises:
        LabelError: No folder can have this name, or the ingestion would ignore it.
    """
    label = unicodedata.normalize("NFC", text).strip()
    if not label:
        raise LabelError("a class needs a name")
    if label != printable(label) or "/" in label or "\\" in label:
        raise LabelError(f"class {printable(label)!r}: use one line of text without / and \\")
    if is_ignored(label):
        raise LabelError(f"class {label!r}: a folder of this name is ignored; choose another one")
    if len(label.encode()) > _LONGEST:
        raise LabelError(f"class {label[:40]!r}...: is longer than {_LONGEST} bytes; shorten it")
    return label
