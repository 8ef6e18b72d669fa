"""`siamese review`: the queue of images that people should look at."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from base.errors import UserError
from base.printable import printable
from pipeline.commands.folder import config_file
from pipeline.commands.options import AsJson, Engine, FolderOrConfig, Overrides, Quiet, Verbose
from pipeline.config import reading
from pipeline.config.run_config import RunConfig
from pipeline.terminal.console import err, note, out, progress, say

if TYPE_CHECKING:
    from review.queue import QueueItem
    from traffic.store import TrafficStore

_LISTED = 20


def review(
    data: FolderOrConfig,
    overrides: Overrides = None,
    listed: Annotated[bool, typer.Option("--list", help="List the images, next first.")] = False,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="At most N images of the queue.")
    ] = None,
    suspects: Annotated[
        bool,
        typer.Option(
            "--suspects", help="Add likely mislabelled images and errors of the last judgement."
        ),
    ] = False,
    reopen: Annotated[
        bool,
        typer.Option(
            "--reopen", help="With --suspects: ask again about those that were reviewed before."
        ),
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Write the queue as CSV, to be filled in."),
    ] = None,
    decisions: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Read decisions from a CSV.")
    ] = None,
    reviewer: Annotated[
        str, typer.Option(metavar="NAME", help="Who decided, where --import does not say.")
    ] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace earlier decisions by those of --import.")
    ] = False,
    undo: Annotated[
        str | None,
        typer.Option(metavar="DIGEST", help="Take back the decision about an image."),
    ] = None,
    enroll: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="Add the images that were reviewed as a class, which may be new, to the newest "
            "model.",
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="With --enroll: write the new version only if the gate blesses it on these "
            "labelled images, a sub-folder per class or a CSV manifest. Images that it was trained "
            "on are excluded.",
        ),
    ] = None,
    engine: Engine = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show which recorded images people should look at, and take their decisions.

    `siamese ui` has the page for it; here are the same queue and decisions for scripts. A decision
    is a class, `none` (of these classes) or `skip`. `siamese improve` trains on them.

    Example: [bold]siamese review runs/parts.yaml --suspects --export queue.csv[/]

    Example: [bold]siamese review runs/parts.yaml --import queue.csv --reviewer ada[/]
    """
    from pipeline.commands.served_check import check_test_images
    from traffic.store import TrafficStore

    if reopen and not suspects:
        raise UserError("--reopen: only with --suspects, which it asks about again")
    if test and not enroll:
        raise UserError("--test: only with --enroll, whose new version is judged on these images")
    if test:
        check_test_images(test)
    settings = reading.load(config_file(data), overrides or ())
    with TrafficStore(settings.traffic_store, create=suspects) as store:
        done: dict[str, Any] = {}
        if undo:
            done["undone"] = _undo(store, undo)
        if suspects:
            done["suspects"] = _add_suspects(settings, store, reopen)
        if decisions:
            done["imported"] = _import(store, decisions, reviewer, replace)
        if enroll:
            done["enrolled"] = _enroll(settings, store, enroll, test, engine, as_json)
        if listed or export or as_json or not done:
            _show(store, listed, limit, export, as_json, data, done)


def _undo(store: TrafficStore, digest: str) -> str:
    found = [one.digest for one in store.reviews() if one.digest.startswith(digest)]
    if len(found) != 1:
        count = f"{len(found)} reviewed images" if found else "no reviewed image"
        raise UserError(f"--undo {digest}: {count} of this digest; give more of its characters")
    store.undo_review(found[0])
    note(f"image {found[0][:12]}: its review was taken back")
    return found[0]


def _add_suspects(settings: RunConfig, store: TrafficStore, reopen: bool) -> dict[str, Any]:
    from pipeline.review.suspects import add_suspects

    found = add_suspects(settings, store, reopen)
    note(f"run {found.run}: {found.added} suspects and errors added, {found.known} were there")
    if found.reviewed:
        what = (
            "are asked about again" if reopen else "stay reviewed; --reopen asks about them again"
        )
        note(f"{found.reviewed} of these have been reviewed, and {what}")
    for file in found.missing:
        say(f"{printable(file)} cannot be read any more", err)
    return found._asdict()


def _import(store: TrafficStore, path: Path, reviewer: str, replace: bool) -> dict[str, Any]:
    from pipeline.review.tables import import_decisions

    found = import_decisions(path, store, reviewer, replace)
    note(f"{path}: {found.kept} decisions kept, {found.empty} lines without one")
    return found._asdict()


def _enroll(
    settings: RunConfig,
    store: TrafficStore,
    text: str,
    test: Path | None,
    engine: str,
    as_json: bool,
) -> dict[str, Any]:
    from pipeline import log_noise
    from pipeline.commands.enroll import enrolled_as_json, show_enrolled
    from review.class_names import class_label

    label = class_label(text)
    log_noise.quiet()
    with progress.status("Loading TensorFlow ...") as status:
        log_noise.load_tensorflow()
        from pipeline.commands.served_check import check_of
        from pipeline.review.enrolling import enroll_reviewed
        from serving.engine import choose

        check = check_of(choose(engine), test, settings, status)
        status.update("Embedding the images, and serving the new version to check it ...")
        done = enroll_reviewed(settings, store, label, check)
    if not as_json:
        show_enrolled(done)
    return enrolled_as_json(done)


def _show(
    store: TrafficStore,
    listed: bool,
    limit: int | None,
    export: Path | None,
    as_json: bool,
    config: Path,
    done: dict[str, Any],
) -> None:
    from review.queue import review_queue

    shown = limit or (None if export or as_json else _LISTED)
    items = review_queue(store, shown) if listed or export else []
    if export:
        from pipeline.review.tables import export_queue

        note(f"{export_queue(export, store, items)} images written to {export}")
    reasons = Counter(image.kept.value for image in store.images(unreviewed=True))
    reviews = store.reviews()
    untrained = sum(one.span is None for one in reviews)
    if as_json:
        counts = {"pending": reasons.total(), "by_reason": reasons}
        done |= {**counts, "reviewed": len(reviews), "not_in_a_span": untrained}
        if listed:
            done["queue"] = [_described(store, item) for item in items]
        out.print_json(json.dumps(done))
    elif listed and items:
        _print_list(items, reasons.total())
    elif not export:
        why = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        pending = "1 image" if reasons.total() == 1 else f"{reasons.total() or 'No'} images"
        say(f"{pending} to review{f' ({why})' if why else ''}.")
        say(f"{len(reviews)} reviewed, {untrained} of them in no span yet.")
        say(f"The page to review them: siamese ui {config}")


def _described(store: TrafficStore, item: QueueItem) -> dict[str, Any]:
    image, answer = item
    return {
        "digest": image.digest,
        "file": str(store.image_path(image.digest)),
        "kept": image.kept.value,
        "source": image.source,
        "given_label": image.given_label,
        "predicted": answer.label if answer else None,
        "known": answer.known if answer else None,
    }


def _print_list(items: list[QueueItem], total: int) -> None:
    from pipeline.terminal.tables import make_table

    table = make_table("!Image", "Kept because", "Model says", "Data set says", "File")
    for image, answer in items:
        said = (
            "" if answer is None else answer.label if answer.known else f"unknown ({answer.label})"
        )
        cells = (image.digest[:12], image.kept.value, said, image.given_label, image.source)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    out.print(table)
    if total > len(items):
        say(f"and {total - len(items)} more; --limit {total} lists all")
