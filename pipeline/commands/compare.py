"""`siamese compare`: two runs side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from base.printable import printable
from pipeline.config.errors import ConfigError
from pipeline.terminal.console import FAILED, WRONG_USE, out, say, stop
from pipeline.terminal.table import make_table, numbers

if TYPE_CHECKING:
    from judging.comparison import Metric, Turned
    from pipeline.gate.comparison import Change, Comparison, Side
    from pipeline.runs.finished_run import JudgedRun

_MOST_ROWS = 20
_LOWER_IS_BETTER = ("equal_error_rate",)


def compare(
    first: Annotated[str, typer.Argument(metavar="RUN", help="The older one, as a rule.")],
    second: Annotated[str, typer.Argument(metavar="RUN", help="The other.")],
    config: Annotated[
        Path | None,
        typer.Option(metavar="CONFIG", help="Whose runs both are, where RUN is an id alone."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Show two runs side by side, and what was changed between them.

    A RUN is WHERE:ID, and WHERE alone is its latest run. WHERE is a configuration, the folder of a
    pipeline (runs/<name>) or of a run, or a judgement that `siamese gate --keep` wrote; ID is that
    of `siamese show`, `latest` or `previous`. With --config, ID alone does.

    Differences are the second's less the first's, on the images that both were judged on, with
    95 % intervals.

    Example: [bold]siamese compare previous latest --config configs/quickstart.yaml[/]

    Of two pipelines: [bold]siamese compare runs/digits runs/other:20260131-120000.123456[/]
    """
    from pipeline.gate import comparison

    runs = [_find(name, config) for name in (first, second)]
    try:
        found = comparison.compare(*runs)
    except comparison.NothingNoted as e:
        stop(str(e), WRONG_USE)
    if as_json:
        out.print_json(found.model_dump_json())
    else:
        _show(found)


def _find(name: str, config: Path | None) -> JudgedRun:
    from pipeline.runs.finished_run import FailedRun, NoSuchRun, find_judged_run

    where, run_id = _parse(name, config)
    try:
        return find_judged_run(where, run_id)
    except (NoSuchRun, ConfigError) as e:
        stop(str(e), WRONG_USE)
    except FailedRun as e:
        stop(str(e), FAILED)


def _parse(name: str, config: Path | None) -> tuple[Path, str | None]:
    """Where it is, and which one it is, if that is said; an id may hold colons too."""
    if Path(name).exists():
        return Path(name), None
    where, colon, run_id = name.partition(":")
    if colon and run_id and Path(where).exists():
        return Path(where), run_id
    if config:
        return config, name
    stop(
        f"{name}: is no file or folder, nor one followed by a colon and a run's id; name a "
        "pipeline's configuration by --config to give an id alone",
        WRONG_USE,
    )


def _show(found: Comparison) -> None:
    _show_sides(found.first, found.second)
    for note in found.notes:
        say(f"Note: {note}.")
    _show_metrics("Metric", found.metrics)
    changed = [one for one in found.classes if one.difference and one.difference.value]
    worst = sorted(
        changed, key=lambda one: (one.difference.value if one.difference else 0, one.name)
    )
    if worst:
        _show_metrics("Recall of class", worst[:_MOST_ROWS])
        if len(worst) > _MOST_ROWS:
            say(f"and {len(worst) - _MOST_ROWS} classes more, see --json")
    elif found.classes:
        say(f"No class's recall has changed ({len(found.classes)} classes).")
    _show_turned("now incorrect", found.broken)
    _show_turned("now correct", found.fixed)
    _show_changes("Configuration", found.configuration)
    _show_changes("Images", found.data)


def _show_sides(*sides: Side) -> None:
    table = make_table("", "Run", "Started (UTC)", "Outcome", ">Images")
    for name, side in zip(("first", "second"), sides, strict=True):
        table.add_row(
            name,
            Text(printable(f"{side.name} {side.run}".strip()), overflow="fold"),
            side.started[:16].replace("T", " "),
            Text(side.outcome.word, style=side.outcome.colour),
            str(side.images),
        )
    out.print(table)


def _show_metrics(title: str, metrics: Sequence[Metric]) -> None:
    table = make_table(title, ">First", ">Second", ">Difference", ">95 % interval", "")
    for one in metrics:
        gap = one.difference
        table.add_row(
            Text(printable(one.name)),
            numbers(one.first)[0],
            numbers(one.second)[0],
            f"{gap.value:+.4f}" if gap else "",
            f"{gap.low:+.4f} to {gap.high:+.4f}" if gap else "",
            _meaning(one),
        )
    out.print(table)


def _meaning(metric: Metric) -> Text:
    gap = metric.difference
    if gap is None:
        return Text("")
    low, high = gap.low, gap.high
    if metric.name in _LOWER_IS_BETTER:
        low, high = -high, -low
    words = Text("better", "green") if low > 0 else Text("worse", "red") if high < 0 else Text("")
    return words if metric.paired else Text("not paired", "dim")


def _show_turned(words: str, images: Sequence[Turned]) -> None:
    if not images:
        return
    say(f"Images {words}: {len(images)}")
    for one in images[:_MOST_ROWS]:
        say(
            printable(one.source)
            + printable(
                f": a {one.label}, told {one.first} by the first, {one.second} by the second"
            )
        )
    if len(images) > _MOST_ROWS:
        say(f"and {len(images) - _MOST_ROWS} more, see --json")


def _show_changes(title: str, changes: Sequence[Change] | None) -> None:
    if changes is None:
        return
    if not changes:
        say(f"{title}: nothing was changed.")
        return
    table = make_table(f"{title}: changed", "First", "Second")
    for change in changes:
        table.add_row(
            *(
                Text(printable(words), overflow="fold")
                for words in (change.key, _written(change.first), _written(change.second))
            )
        )
    out.print(table)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
