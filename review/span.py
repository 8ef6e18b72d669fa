"""Writes reviewed images as the next span of a data set, whole or not at all.

A span holds the whole data set, so the next one is the current one, by hard links where the file
system has them, with the changes of `review.plan`. The current span stays as it is, which makes
every correction reversible (`undo_span`). The new one is prepared under a hidden name and renamed;
then the store is told. If this is interrupted, the next call finishes it: the span's record names
the images that it holds.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from review.plan import Existing, Layout, Plan, Reviewed, SpanError, plan_changes
from storage.spans import SPAN, Span, SpanRecord, newest_span, spans
from traffic.rows import Decision
from traffic.store import TrafficStore

_KINDS = {
    b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"GIF8": ".gif", b"BM": ".bmp",
    b"II*\0": ".tif", b"MM\0*": ".tif", b"RIFF": ".webp",
}  # fmt: skip


class Written(NamedTuple):
    """What became of the reviewed images.

    Attributes:
        span: The span that was written; None if there was too little to write.
        plan: What changed, or would have changed.
    """

    span: Span | None
    plan: Plan


def current_span(root: str) -> Span:
    """Return the newest span of a data root.

    Raises:
        SpanError: The data root has no `{SPAN}`, or there is no span; the message says what to do.
    """
    if SPAN not in root:
        place = root.rstrip("/")
        raise SpanError(
            f"data.root: {root} has no {SPAN}, and reviewed images become the next span, so that "
            f"every change can be undone. Once: mv {place} {place}-1, and set data.root: "
            f'"{place}-{SPAN}"'
        )
    span = newest_span(root)
    if span is None:
        raise SpanError(
            f"data.root: there is no folder {root.replace(SPAN, '1')}; put the labelled images "
            "there"
        )
    return span


def write_span(
    store: TrafficStore,
    span: Span,
    data: Sequence[Existing],
    layout: Layout,
    at_least: int = 1,
    problem_of: Callable[[bytes], str] = lambda content: "",
) -> Written:
    """Write the reviewed images as the next span.

    Only one call at a time may do so; the caller holds a lock.

    Args:
        store: The reviewed images.
        span: The current span.
        data: Its files.
        layout: How it is laid out.
        at_least: With fewer changes nothing is written.
        problem_of: Returns why no model can be trained on an image's file, as a predicate ("is
            empty"); empty if one can. Decisions about such images are set aside.

    Raises:
        SpanError: The manifest is outside of the span, or another span has appeared meanwhile.
        OSError: A file cannot be read or written.
    """
    _finish(store, span)
    plan = plan_changes(data, _reviewed(store, span, data, problem_of), layout)
    if plan.changes < max(at_least, 1):
        return Written(None, plan)
    target = span.next()
    unfinished = _unfinished(target)
    shutil.rmtree(unfinished, ignore_errors=True)
    below = unfinished / target.root.relative_to(target.folder)
    _write_files(store, span, data, plan, layout, below)
    _record(span, plan).write(below)
    try:
        os.rename(unfinished, target.folder)
    except OSError as e:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise SpanError(f"{target.folder}: cannot be made ({e.strerror}); try again") from e
    store.set_span(plan.reviewed, target.number)
    return Written(target, plan)


def undo_span(store: TrafficStore, root: str) -> Span:
    """Remove the newest span, if it was made from reviewed images, which then count as before.

    Raises:
        SpanError: It was made in another way, or the span before it is gone.
    """
    span = current_span(root)
    record = SpanRecord.read(str(span.root))
    if record is None:
        raise SpanError(f"{span.root}: was not made from reviewed images, and is not removed")
    if record.before not in {one.number for one in spans(root)}:
        raise SpanError(f"{span.root}: the span {record.before} that it was made from is gone")
    unfinished = _unfinished(span)
    # The store first: if this is interrupted, the next call of `write_span` tells it again.
    store.set_span(record.reviewed, None)
    shutil.rmtree(unfinished, ignore_errors=True)
    os.rename(span.folder, unfinished)
    shutil.rmtree(unfinished)
    return span


def _finish(store: TrafficStore, span: Span) -> None:
    """Tell the store of images that the span holds already, of a call that was interrupted."""
    record = SpanRecord.read(str(span.root))
    if record is None:
        return
    missed = {
        review.digest: review.label
        for review in store.reviews(not_in_a_span=True)
        if record.reviewed.get(review.digest) == review.label
    }
    store.set_span(missed, span.number)


def _reviewed(
    store: TrafficStore,
    span: Span,
    data: Sequence[Existing],
    problem_of: Callable[[bytes], str],
) -> list[Reviewed]:
    """Return the decisions that are in no span, and the files of the data set that they concern."""
    images = {image.digest: image for image in store.images()}
    reviews = [one for one in store.reviews(not_in_a_span=True) if one.digest in images]
    found = _by_content(span.root, data, {images[one.digest].size for one in reviews})
    told = []
    for review in reviews:
        existing = tuple(found.get(review.digest, ()))
        suffix = problem = ""
        if review.decision is Decision.LABEL and not existing:
            suffix, problem = _to_add(store.image_path(review.digest), problem_of)
        kept = images[review.digest].kept
        told.append(Reviewed(review, kept, suffix, existing, problem))
    return told


def _to_add(path: Path, problem_of: Callable[[bytes], str]) -> tuple[str, str]:
    """Return the usual ending of a kept image's file, and why it cannot be trained on."""
    try:
        content = path.read_bytes()
    except OSError as e:
        return "", f"{path}: cannot be read ({e.strerror}); restore it, or review the image as skip"
    changed = hashlib.sha256(content).hexdigest() != path.name
    if why := "has changed since it was kept" if changed else problem_of(content):
        return "", f"{path}: {why}; review the image as skip"
    return next((suffix for magic, suffix in _KINDS.items() if content.startswith(magic)), ""), ""


def _by_content(root: Path, data: Iterable[Existing], sizes: set[int]) -> dict[str, list[Existing]]:
    """Return the files of the data set by their SHA-256; only those of given sizes are read."""
    found: dict[str, list[Existing]] = defaultdict(list)
    for file in data:
        path = root / file.path
        with contextlib.suppress(OSError):
            if path.stat().st_size in sizes:
                found[hashlib.sha256(path.read_bytes()).hexdigest()].append(file)
    return found


def _unfinished(span: Span) -> Path:
    """Return where a span is prepared: hidden, and in no place that the pattern matches."""
    folder = span.folder
    bare = folder.name == span.digits  # then anything beside it would be taken for a span
    return (folder.parent.parent if bare else folder.parent) / f".{folder.name}.unfinished"


def _write_files(
    store: TrafficStore,
    span: Span,
    data: Sequence[Existing],
    plan: Plan,
    layout: Layout,
    target: Path,
) -> None:
    """Write the files of the next span into a folder."""
    left_out = set(plan.left_out)
    files = [plan.moved.get(one.path, one) for one in data if one.path not in left_out]
    for old in data:
        new = plan.moved.get(old.path, old)
        if old.path not in left_out and ".." not in Path(new.path).parts:
            _link(span.root / old.path, target / new.path)
    for digest, file in plan.added.values():
        files.append(file)
        (target / file.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(store.image_path(digest), target / file.path)
    if layout.manifest:
        _write_manifest(target / layout.manifest, target, files)


def _link(source: Path, target: Path) -> None:
    """Make a file appear in a second place, unless it cannot be read."""
    if not source.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    real = os.path.realpath(source)
    try:
        os.link(real, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(real, target)


def _write_manifest(path: Path, root: Path, files: Iterable[Existing]) -> None:
    if not path.resolve().is_relative_to(root.resolve()):
        raise SpanError(
            f"data.manifest: {path.name} is outside of the span; put it into each span's folder"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "label", "split", "group"))
        for one in sorted(files):
            rows.writerow((one.path, one.label, one.split or "", one.group or ""))


def _record(span: Span, plan: Plan) -> SpanRecord:
    earlier = SpanRecord.read(str(span.root))
    return SpanRecord(
        before=span.number,
        added={path: digest for path, (digest, _) in plan.added.items()},
        moved={path: file.path for path, file in plan.moved.items()},
        left_out=plan.left_out,
        reviewed=plan.reviewed,
        classes=sorted({*plan.classes, *(earlier.classes if earlier else ())}),
    )
