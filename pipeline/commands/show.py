"""`siamese show`: list a pipeline's runs, or show one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from judging.number_text import number
from pipeline.commands.options import AsJson, ConfigFile, Overrides, Quiet, Verbose
from pipeline.config import reading
from pipeline.terminal.console import FAILED, out, say, stop

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.runs.summary import Summary


def show(
    config: ConfigFile,
    run_id: Annotated[
        str | None,
        typer.Option("--run", metavar="ID", help="Show this run in full; `latest` is the last."),
    ] = None,
    number: Annotated[
        int, typer.Option("-n", metavar="N", min=1, help="Number of runs to list.")
    ] = 10,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """List the last runs and their outcomes, or show one run in full.

    Example: [bold]siamese show configs/quickstart.yaml --run latest[/]
    """
    from pipeline.runs.run_folders import find_run, list_runs
    from pipeline.terminal.run_summary import show_summary

    settings = reading.load(config, overrides or ())
    if run_id:
        run = find_run(settings.root, settings.name, run_id)
        if as_json:
            out.print_json(run.model_dump_json())
        else:
            show_summary(out, run)
            if run.outcome and run.failure:  # else the summary names it
                say(f"{run.outcome.heading}: {run.failure}")
        return
    runs = list_runs(settings.root, settings.name, number)
    if not runs:
        stop(
            f"{settings.name} has no runs in {settings.root}; start one: siamese run {config}",
            FAILED,
        )
    if as_json:
        out.print_json(json.dumps([json.loads(one.model_dump_json()) for one in runs]))
    else:
        show_runs(out, runs)


def show_runs(console: Console, runs: Sequence[Summary]) -> None:
    """Print a table of runs, a line each."""
    from pipeline.terminal.run_summary import nearby, outcome
    from pipeline.terminal.tables import make_table

    table = make_table("!Run", "!Started (UTC)", "Outcome", ">AUC", "Model")
    for run in runs:
        auc = run.metrics.get("auc")
        pushed = run.run.pushed if run.run else None
        table.add_row(
            run.id,
            f"{run.started:%Y-%m-%d %H:%M}",
            outcome(run),
            number(auc.value) if auc else "",
            Text(nearby(pushed) if pushed else "", overflow="fold"),
        )
    console.print(table)
