"""`siamese versions`, `promote` and `rollback`: what is served, and since when."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.text import Text

from judging.number_text import metric_text
from pipeline.commands.options import AsJson, Overrides, Quiet, Verbose
from pipeline.runs.outcome import Outcome
from pipeline.terminal.console import out, progress, say
from pipeline.terminal.tables import make_table
from serving.promotion import WAIT_SECONDS
from serving.version_labels import CANARY, STABLE

if TYPE_CHECKING:
    from pipeline.runs.versions import Place, VersionInfo
    from serving.promotion import Moved, Shelf
    from storage.lineage import Figure

Where = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG|FOLDER",
        help="YAML file of the run, or a base path: the folder, or gs:// or s3:// address, that "
        "holds the versions.",
    ),
]
Label = Annotated[
    Literal["stable", "canary"], typer.Option(metavar="LABEL", help="stable or canary.")
]
Name = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The model's name, which clients ask for. Default: as before; at first the "
        "pipeline's name.",
    ),
]
BasePath = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="The base path as the servers see it, such as /models/siamese in a container. "
        "Default: as before; at first its path here.",
    ),
]
Wait = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        min=0,
        help="Time in which every server reads the file of labels, before a label moves to a "
        "version that servers have to load first; 0 if no server is running.",
    ),
]


def versions(
    where: Where,
    prune: Annotated[
        int | None,
        typer.Option(
            metavar="KEEP",
            min=0,
            help="Delete versions that servers do not load, but for the newest KEEP of them.",
        ),
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """List the versions of a model: what made them of what, how they were judged, their labels.

    Example: [bold]siamese versions configs/quickstart.yaml[/]
    """
    from pipeline.runs.versions import find_place, list_versions
    from serving.promotion import Shelf

    place = find_place(where, overrides or ())
    shelf = Shelf(place.base_path)
    deleted = set(shelf.prune(prune)) if prune is not None else set()
    found = [one for one in list_versions(shelf, place.runs) if one.version not in deleted]
    if as_json:
        out.print_json(json.dumps(_values(shelf, found, sorted(deleted))))
        return
    _show(found)
    if not shelf.labels.versions:
        say(f"No version has a label: servers serve the newest one, {shelf.served}.")
    if deleted:
        say(f"Deleted {len(deleted)}: {', '.join(map(str, sorted(deleted)))}")


def promote(
    where: Where,
    version: Annotated[
        int | None,
        typer.Argument(metavar="VERSION", help="Its number. Default: the canary.", min=0),
    ] = None,
    label: Label = STABLE,
    not_gated: Annotated[
        bool,
        typer.Option(
            "--not-gated", help="Also a version that was never judged, or that is not blessed."
        ),
    ] = False,
    name: Name = None,
    base_path: BasePath = None,
    wait: Wait = WAIT_SECONDS,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Give a version the label `stable` or `canary`, which servers and clients follow.

    Without VERSION the canary becomes stable. From the first promotion on, servers load the
    labelled versions alone, and a version that is pushed later waits for its promotion. A version
    that was never judged, or was not blessed, is refused unless --not-gated says so.

    Example: [bold]siamese promote my.yaml 1795712241 --label canary[/]

    Example: [bold]siamese promote my.yaml[/]
    """
    from pipeline.runs.versions import find_place, list_versions

    place = find_place(where, overrides or ())
    shelf = _shelf(place, name, base_path, wait)
    chosen = version if version is not None else shelf.labels.canary
    verdicts = {one.version: one.verdict for one in list_versions(shelf, place.runs)}
    moved = shelf.promote(version, label, not_gated, verdicts.get(chosen) if chosen else None)
    _tell(moved, as_json)


def rollback(
    where: Where,
    label: Label = STABLE,
    name: Name = None,
    base_path: BasePath = None,
    wait: Wait = WAIT_SECONDS,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make the version stable again that was stable before; with --label canary, end the canary.

    Example: [bold]siamese rollback my.yaml[/]
    """
    from pipeline.runs.versions import find_place

    place = find_place(where, overrides or ())
    shelf = _shelf(place, name, base_path, wait)
    moved = shelf.rollback(label)
    _tell(moved, as_json)


def _shelf(place: Place, name: str | None, base_path: str | None, wait: float) -> Shelf:
    from serving.promotion import Served, Shelf

    def sleep(seconds: float) -> None:
        with progress.status(f"Waiting {seconds:g} s, until servers load the version ..."):
            time.sleep(seconds)

    served = Served(name or "", base_path or "", place.name)
    return Shelf(place.base_path, served, wait, sleep)


def _show(found: Sequence[VersionInfo]) -> None:
    from judging.metric_names import metric_name

    names = list(dict.fromkeys(name for one in found for name in one.main_figures))
    heads = [f">{metric_name(name)}" for name in names]
    table = make_table("!Version", "Labels", "!Made (UTC)", "From", "Verdict", *heads)
    for one in found:
        figures = one.main_figures
        table.add_row(
            str(one.version),
            ", ".join(one.labels),
            f"{one.made:%Y-%m-%d %H:%M}" if one.made else "",
            Text("; ".join((one.origin, *one.changes)), overflow="fold"),
            _verdict(one),
            *(_figure(name, figures.get(name)) for name in names),
        )
    out.print(table)


def _figure(name: str, figure: Figure | None) -> str:
    return metric_text(name, figure.value, figure.images) if figure else ""


def _verdict(one: VersionInfo) -> str:
    if one.verdict is None:
        return "not gated" if one.made_by != "unknown" else "not known"
    try:
        outcome = Outcome(one.verdict.outcome)
    except ValueError:  # of a later release
        return escape(one.verdict.outcome)
    return f"[{outcome.colour}]{outcome.word}[/]"


def _values(shelf: Shelf, found: Sequence[VersionInfo], deleted: list[int]) -> dict[str, Any]:
    return {
        "name": shelf.labels.name,
        "labels": shelf.labels.versions,
        "served": shelf.served,
        "previous": shelf.previous,
        "versions": [one.model_dump(mode="json") for one in found],
        "deleted": deleted,
        "history": [one.model_dump(mode="json") for one in shelf.history],
    }


def _tell(moved: Moved, as_json: bool) -> None:
    if as_json:
        fields = {"label": moved.label, "version": moved.version, "before": moved.before}
        out.print_json(json.dumps({**fields, "labels": moved.labels.versions}))
        return
    if moved.version is None:
        say(f"No version is {moved.label} any more; it was {moved.before}.")
    elif moved.version == moved.before:
        say(f"Version {moved.version} is {moved.label}, as before.")
    else:
        before = f"; it was {moved.before}" if moved.before is not None else ""
        say(f"Version {moved.version} is {moved.label}{before}.")
    if moved.labels.canary is not None and moved.label == CANARY:
        say(
            "Clients get it by the label 'canary'. A client that names no label gets the newest "
            "version that is loaded: let clients ask for the label 'stable'."
        )
