"""`siamese improve`: train on what was reviewed, and push the model if it is better."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from base.errors import UserError
from pipeline.commands.folder import config_file
from pipeline.commands.options import AsJson, FolderOrConfig, Overrides, Quiet, Verbose
from pipeline.commands.run import run_pipeline, show_run
from pipeline.config import reading
from pipeline.config.run_config import RunConfig
from pipeline.runs.folder_lock import locked
from pipeline.terminal.console import FAILED, err, note, out, say

if TYPE_CHECKING:
    from pipeline.runs.summary import Summary
    from review.span import Written
    from storage.spans import Span
    from traffic.store import TrafficStore


def improve(
    data: FolderOrConfig,
    overrides: Overrides = None,
    at_least: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="Do nothing before N images are new, corrected or left out."
        ),
    ] = 1,
    start: Annotated[
        bool, typer.Option("--run/--no-run", help="Train on the new span, or write it only.")
    ] = True,
    undo: Annotated[
        bool,
        typer.Option("--undo", help="Remove the newest span, if it was made from reviewed images."),
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write reviewed images as the next span, train on it, and push the model if it is blessed.

    For cron: with nothing to do it says so and ends with 0. What an interrupted or failed call left
    undone is done by the next.

    A decision that cannot be used, such as about an image that is damaged, is set aside and named.

    Exit codes: 0 blessed, or nothing to do; 3 not blessed, 4 undecided (too few test images), 1
    failed, another one is in progress, or all decisions are set aside; 2 wrong use.

    Example: [bold]siamese improve runs/parts.yaml --at-least 20[/]
    """
    from pipeline.review.data_set import newest
    from review.span import undo_span
    from traffic.store import TrafficStore

    settings = reading.load(config_file(data), overrides or ())
    newest(settings)  # refuses a data root without spans
    place = settings.traffic_store
    if not place.exists():
        return _nothing(as_json, f"there is no traffic store {place} yet")
    # Two calls at once would write the same images twice.
    with locked(place), TrafficStore(place) as store:
        if undo:
            with locked(settings.root):  # a run may read the span
                undone = undo_span(store, settings.data.root)
            say(f"{undone.root}: removed; its images count as reviewed and not trained on")
            return None
        written = _write(settings, store, at_least)
    if start and (written.span is not None or _is_untrained(settings)):
        code = run_pipeline(settings, lambda summary: _show(written, summary, as_json))
        raise typer.Exit(code)
    if (span := written.span) is not None:
        return _show_span(span, written, as_json)
    _nothing(as_json, _why_nothing(written, at_least), written)
    if written.plan.set_aside and not written.plan.changes:
        raise typer.Exit(FAILED)


def _write(settings: RunConfig, store: TrafficStore, at_least: int) -> Written:
    from pipeline.notify import tell
    from pipeline.review.data_set import write_reviewed

    try:
        written = write_reviewed(settings, store, at_least)
    except (UserError, OSError) as e:  # by cron nobody reads it
        text = f"{settings.name}: reviewed images could not be written to a span: {e}"
        tell(settings.notify, "failure", text, {"pipeline": settings.name, "reasons": [str(e)]})
        raise
    for sentence in written.plan.waiting:
        note(f"Waiting: {sentence}")
    _tell_set_aside(settings, written)
    if written.plan.lost_groups:
        note(
            f"Warning: {written.plan.lost_groups} reviewed images name a group, for which the data "
            "set has no place: set splits.group: sub_folder and put its images into folders of "
            "their groups"
        )
    if written.span is not None:
        note(f"{written.span.root}: {_changes(written)}")
    return written


def _tell_set_aside(settings: RunConfig, written: Written) -> None:
    from pipeline.notify import tell

    found = [f"image {digest[:12]}: {why}" for digest, why in written.plan.set_aside.items()]
    for sentence in found:
        say(f"Set aside: {sentence}", err)
    # By cron nobody reads it; while others wait, the next call tells it.
    if found and (written.span is not None or not written.plan.changes):
        told = f"{len(found)} decisions" if len(found) > 1 else "a decision"
        text = f"{settings.name}: {told} about reviewed images cannot be used: {'; '.join(found)}"
        tell(settings.notify, "failure", text, {"pipeline": settings.name, "reasons": found})


def _changes(written: Written) -> str:
    plan = written.plan
    counts = {
        "added": len(plan.added), "corrected": len(plan.moved), "left out": len(plan.left_out)
    }  # fmt: skip
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _why_nothing(written: Written, at_least: int) -> str:
    pending = written.plan.changes
    if pending:
        return f"{pending} of at least {at_least} changes by reviewed images (--at-least)"
    if set_aside := len(written.plan.set_aside):
        told = "a decision" if set_aside == 1 else f"{set_aside} decisions"
        return f"{told} cannot be used, and no other changes the data set"
    return "no reviewed image changes the data set"


def _is_untrained(settings: RunConfig) -> bool:
    """Return whether the newest span is of reviewed images, and no run was judged on it."""
    from pipeline.review.data_set import newest
    from pipeline.review.suspects import last_judgement
    from pipeline.runs.run_folders import NoSuchRun
    from storage.spans import SpanRecord

    root = str(newest(settings).root)
    if SpanRecord.read(root) is None:
        return False
    try:
        _, judgement = last_judgement(settings)
    except NoSuchRun:
        return True
    return os.path.realpath(judgement.root) != os.path.realpath(root)


def _described(written: Written) -> dict[str, Any]:
    plan = written.plan
    return {
        "span": str(written.span.root) if written.span else None,
        "number": written.span.number if written.span else None,
        "added": {path: file.label for path, (_, file) in plan.added.items()},
        "corrected": {path: file.path for path, file in plan.moved.items()},
        "left_out": plan.left_out,
        "new_classes": plan.classes,
        "waiting": plan.waiting,
        "set_aside": plan.set_aside,
    }


def _nothing(as_json: bool, why: str, written: Written | None = None) -> None:
    if as_json:
        found = _described(written) if written else {}
        out.print_json(json.dumps({"outcome": None, "reason": why, **found}))
    else:
        say(f"Nothing to do: {why}.")


def _show_span(span: Span, written: Written, as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps({"outcome": None, **_described(written)}))
    else:
        say(f"{span.root}: {_changes(written)}")


def _show(written: Written, summary: Summary, as_json: bool) -> None:
    if as_json:
        run = json.loads(summary.model_dump_json())
        out.print_json(json.dumps({"outcome": run["outcome"], **_described(written), "run": run}))
    else:
        show_run(summary)
