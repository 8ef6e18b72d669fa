"""`siamese show`: list a pipeline's runs, or show one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from base.errors import UserError
from pipeline.commands.options import AsJson, ConfigFile, Overrides, Quiet
from pipeline.config import reading
from pipeline.terminal.console import FAILED, out, stop

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.config.run_config import RunConfig
    from pipeline.runs.history import Run
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
    quiet: Quiet = None,
) -> None:
    """List the last runs and their outcomes, or show one run in full.

    Example: [bold]siamese show configs/quickstart.yaml --run latest[/]
    """
    from pipeline.runs.history import read_runs
    from pipeline.runs.summary import Summary
    from pipeline.terminal.run_summary import show_summary

    settings = reading.load(config, overrides or ())
    runs = read_runs(settings.metadata, settings.name, None if run_id else number)
    if not runs:
        stop(
            f"{settings.name} has no runs in {settings.root}; start one: siamese run {config}",
            FAILED,
        )
    summaries = _summaries(settings)
    if run_id is None:
        if as_json:
            out.print_json(json.dumps([json.loads(one.model_dump_json()) for one in runs]))
        else:
            show_runs(out, [(one, summaries.get(one.id)) for one in runs])
        return
    chosen = next((one for one in runs if run_id in ("latest", one.id)), None)
    if chosen is None:
        raise UserError(f"{settings.name} has no run {run_id}; the last is {runs[0].id}")
    found = summaries.get(chosen.id) or Summary(
        name=settings.name,
        started=chosen.started,
        run=chosen,
        serving_root=settings.serving_root,
    )
    if as_json:
        out.print_json(found.model_dump_json())
    else:
        show_summary(out, found)


def show_runs(console: Console, runs: Sequence[tuple[Run, Summary | None]]) -> None:
    """Print a table of runs, a line each."""
    from pipeline.terminal.run_summary import nearby, outcome
    from pipeline.terminal.tables import make_table

    table = make_table("!Run", "!Started (UTC)", "Outcome", ">AUC", "Model")
    for run, summary in runs:
        auc = summary.metrics.get("auc") if summary else None
        table.add_row(
            run.id,
            f"{run.started:%Y-%m-%d %H:%M}",
            outcome(run),
            f"{auc.value:.4f}" if auc else "",
            Text(nearby(run.pushed) if run.pushed else "", overflow="fold"),
        )
    console.print(table)


def _summaries(settings: RunConfig) -> dict[str, Summary]:
    """Return the summaries in the runs' folders, by run id."""
    from pipeline.runs.summary import Summary

    found = (Summary.read(folder) for folder in sorted((settings.root / "runs").glob("*")))
    return {summary.run.id: summary for summary in found if summary and summary.run}
