"""`siamese compare`: compare two runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from base.errors import UserError
from base.printable import printable
from judging.number_text import change_interval, change_text, metric_text
from pipeline.commands.options import AsJson, Quiet, Verbose
from pipeline.terminal.console import out, say
from pipeline.terminal.tables import make_table

if TYPE_CHECKING:
    from judging.comparison import Metric, Turned
    from judging.judgement import Measure
    from pipeline.gate.comparison import Change, Comparison, Side

_MOST_ROWS = 20
_LOWER_IS_BETTER = ("equal_error_rate",)


def compare(
    first: Annotated[str, typer.Argument(metavar="RUN", help="Usually the older run.")],
    second: Annotated[str, typer.Argument(metavar="RUN", help="The run to compare with it.")],
    config: Annotated[
        Path | None,
        typer.Option(metavar="CONFIG", help="The pipeline of both runs, if each RUN is an id."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compare two runs: metrics, classes, images, configuration and data.

    A RUN is WHERE:ID; WHERE alone is its latest run. WHERE is a configuration, the folder of a
    pipeline (runs/<name>) or of a run, or a judgement that `siamese gate --keep` wrote. ID is as in
    `siamese show`, or `latest` or `previous`. With --config, ID alone is enough.

    A change is the second run minus the first, in percentage points unless it is of an AUC, on the
    images that both were judged on, with a 95 % interval.

    Example: [bold]siamese compare previous latest --config configs/quickstart.yaml[/]

    Example: [bold]siamese compare runs/digits runs/other:20260131-120000[/]
    """
    from pipeline.gate import comparison
    from pipeline.runs.finished_run import find_judged_run

    runs = [find_judged_run(*_parse(name, config)) for name in (first, second)]
    found = comparison.compare(*runs)
    if as_json:
        out.print_json(found.model_dump_json())
    else:
        _show(found)


def _parse(name: str, config: Path | None) -> tuple[Path, str | None]:
    """Return where a run is, and its id if one is given; an id may hold colons too."""
    if Path(name).exists():
        return Path(name), None
    where, colon, run_id = name.partition(":")
    if colon and run_id and Path(where).exists():
        return Path(where), run_id
    if config:
        return config, name
    raise UserError(
        f"{name}: there is no such file or folder, nor one followed by a colon and a run's id; to "
        "give an id alone, name the pipeline's configuration by --config"
    )


def _show(found: Comparison) -> None:
    _show_sides(found.first, found.second)
    for note in found.notes:
        say(f"Note: {note}.")
    _show_metrics("!Metric", found.metrics)
    changed = [one for one in found.classes if one.difference and one.difference.value]
    worst = sorted(
        changed, key=lambda one: (one.difference.value if one.difference else 0, one.name)
    )
    if worst:
        _show_metrics("Recall of class", worst[:_MOST_ROWS], "recall")
        if len(worst) > _MOST_ROWS:
            say(f"and {len(worst) - _MOST_ROWS} more classes, see --json")
    elif found.classes:
        say(f"No class's recall changed ({len(found.classes)} classes).")
    _show_turned("now incorrect", found.broken)
    _show_turned("now correct", found.fixed)
    _show_changes("Configuration", found.configuration)
    _show_changes("Images", found.data)


def _show_sides(*sides: Side) -> None:
    table = make_table("", "Pipeline", "!Run", "Outcome", ">Images")
    for name, side in zip(("first", "second"), sides, strict=True):
        table.add_row(
            name,
            Text(printable(side.name)),
            side.run,
            Text(side.outcome.word, style=side.outcome.colour),
            str(side.images),
        )
    out.print(table)


def _show_metrics(title: str, metrics: Sequence[Metric], metric: str | None = None) -> None:
    """Print metrics; `metric` is what all of them are, if they are named otherwise."""
    table = make_table(title, ">First", ">Second", ">Change", ">95 % interval", "!")
    for one in metrics:
        gap, key = one.difference, metric or one.name
        table.add_row(
            Text(printable(one.name)),
            _text(key, one.first),
            _text(key, one.second),
            change_text(key, gap.value, gap.images) if gap else "",
            change_interval(key, gap) if gap else "",
            _meaning(one),
        )
    out.print(table)


def _text(metric: str, measure: Measure | None) -> str:
    return metric_text(metric, measure.value, measure.images) if measure else ""


def _meaning(metric: Metric) -> Text:
    gap = metric.difference
    if gap is None:
        return Text("")
    low, high = gap.low, gap.high
    if metric.name in _LOWER_IS_BETTER:
        low, high = -high, -low
    words = Text("better", "green") if low > 0 else Text("worse", "red") if high < 0 else Text("")
    return words if metric.paired else Text("unpaired", "dim")


def _show_turned(words: str, images: Sequence[Turned]) -> None:
    if not images:
        return
    say(f"Images {words}: {len(images)}")
    for one in images[:_MOST_ROWS]:
        say(
            printable(one.source)
            + printable(f": true class {one.label}, first {one.first}, second {one.second}")
        )
    if len(images) > _MOST_ROWS:
        say(f"and {len(images) - _MOST_ROWS} more, see --json")


def _show_changes(title: str, changes: Sequence[Change] | None) -> None:
    if changes is None:
        return
    if not changes:
        say(f"{title}: unchanged.")
        return
    table = make_table(f"!{title}: changed", "First", "Second")
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
