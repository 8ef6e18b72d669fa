"""Audits the files that an ingestion reads (`images.audit`). Imports neither TFX nor TensorFlow."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

from base.printable import printable
from components.data_check.settings import FINDING, AuditSettings
from components.image_example_gen.sources import list_sources
from images.audit.audit import audit
from images.audit.collection import File
from images.audit.findings import Audit
from images.canonical import Region
from storage.file_systems import open_file

_TOLD = 8
"""Findings that a run prints."""

_TOLD_BEFORE = ("unusable", "frames")
"""Kinds of findings that the ingestion has told already, of all files."""


def audit_sources(root: str, settings: AuditSettings) -> Audit:
    """Return the audit of a data set.

    Args:
        root: The data root, a local path or an address.
        settings: What else has to be known.

    Raises:
        DataError: The files cannot be listed; see `list_sources`.
    """
    sources = list_sources(
        root, settings.layout, settings.manifest, settings.group, settings.classes
    )
    files = [File(one.path, one.label, one.problem, one.split) for one in sources]
    return audit(
        root,
        files,
        settings.max_pixels,
        settings.size,
        settings.resize,
        region=Region(**settings.region) if settings.region else None,
    )


def write_audit(root: str, settings: AuditSettings, folder: str) -> None:
    """Audit a data set, tell the findings in the log, and write them into a folder.

    An audit that fails fails no run: a warning in the log says so.
    """
    try:
        found = audit_sources(root, settings)
    except Exception:
        logging.warning("The audit of the images failed", exc_info=True)
        return
    for line in told(found):
        print(FINDING + line, flush=True)
    with open_file(os.path.join(folder, Audit.FILE), "w") as file:
        file.write(found.model_dump_json(indent=1))


def told(found: Audit) -> Iterator[str]:
    """Yield the findings in a line each, warnings first."""
    if found.audited < found.files:
        yield f"{found.audited:,} of {found.files:,} images were audited"
    news = [one for one in found.findings if one.kind not in _TOLD_BEFORE]
    for one in news[:_TOLD]:
        examples = ", ".join(printable(example.path) for example in one.examples[:2])
        yield f"{one.grade}: {one.text}{f' ({examples})' if examples else ''}"
    if len(news) > _TOLD:
        yield f"{len(news) - _TOLD} more findings are in the report"
