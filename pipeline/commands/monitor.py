"""`siamese monitor`: does the traffic still look like what the model was judged on?"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import AsJson, ConfigFile, Overrides, Quiet, Verbose
from pipeline.commands.writable import refuse_unwritable
from pipeline.config import reading
from pipeline.terminal.console import out, progress

if TYPE_CHECKING:
    from monitoring.findings import MonitorFindings
    from pipeline.config.run_config import RunConfig

Since = Annotated[
    str,
    typer.Option(
        metavar="TIME", help="Start of the period: 7d (or m, h, w) ago, or a date or time in UTC."
    ),
]
Until = Annotated[
    str | None, typer.Option(metavar="TIME", help="End of the period, likewise; default: now.")
]
Version = Annotated[
    int | None,
    typer.Option(
        "--model-version",
        metavar="N",
        help="Whose answers; default: that labelled stable, or with most answers.",
    ),
]
ModelName = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="The model, if several are recorded.")
]
ReferenceFolder = Annotated[
    Path | None,
    typer.Option(
        "--reference",
        metavar="FOLDER",
        help="Compare with this judgement (`siamese gate --keep`); default: that of the run that "
        "pushed the version.",
    ),
]
Page = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a report.")]
Metrics = Annotated[
    Path | None,
    typer.Option(
        "--prometheus",
        metavar="FILE",
        help="Write metrics for node_exporter's textfile collector, such as metrics/siamese.prom.",
    ),
]


def monitor(
    config: ConfigFile,
    since: Since = "7d",
    until: Until = None,
    version: Version = None,
    model: ModelName = None,
    reference: ReferenceFolder = None,
    html: Page = None,
    prometheus: Metrics = None,
    as_json: AsJson = False,
    overrides: Overrides = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Tell by the exit code whether recorded traffic has drifted from the judged images.

    Compares the share of unknown images, the scores and the embeddings, and estimates the
    accuracy. `notify` in the configuration is told of drift.

    Exit codes: 0 fine, 3 drifted, 4 too few images, 1 failed, 2 wrong use.

    Example: [bold]siamese monitor my.yaml --since 7d --html monitor.html[/]
    """
    refuse_unwritable(html=html, prometheus=prometheus)
    settings = reading.load(config, overrides or ())
    from pipeline.monitor.examine import examine_period
    from pipeline.monitor.period import period
    from pipeline.runs.outcome import TrafficOutcome

    start, end = period(since, until, datetime.now(timezone.utc))
    found = examine_period(settings, start, end, version, model, reference)
    _write(found, settings, html, prometheus)
    _print(found, as_json)
    _tell(settings, found)
    raise typer.Exit(TrafficOutcome(found.outcome).exit_code)


def _write(
    found: MonitorFindings, settings: RunConfig, html: Path | None, prometheus: Path | None
) -> None:
    if html:
        from pipeline.report.monitor_page import write_page

        write_page(html, settings.name, found)
    if prometheus:
        from pipeline.monitor.prometheus import write_metrics

        write_metrics(found, prometheus)


def _print(found: MonitorFindings, as_json: bool) -> None:
    from pipeline.monitor import output

    if as_json:
        out.print_json(found.model_dump_json())
    elif progress.quiet:
        output.show_outcome(out, found)
    else:
        output.show(out, found)


def _tell(settings: RunConfig, found: MonitorFindings) -> None:
    if found.outcome != "drifted":
        return
    from pipeline.monitor.output import sentence
    from pipeline.notify import tell

    period = found.period
    fields = {
        "pipeline": settings.name,
        "model": period.model,
        "version": period.version,
        "outcome": found.outcome,
        "reasons": list(found.reasons),
        "since": period.since.isoformat(),
        "until": period.until.isoformat(),
        "images": found.images,
    }
    text = f"{settings.name}: traffic of version {period.version}: {sentence(found)}"
    tell(settings.notify, "drift", text, fields)
