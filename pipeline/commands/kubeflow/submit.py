"""`siamese kubeflow submit`: run the pipeline on a cluster and wait for its verdict."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cluster.settings import Platform
from pipeline.commands.kubeflow.options import Parameters, compile_to, print_verdict
from pipeline.commands.options import AsJson, ConfigFile, Overrides, Quiet, Verbose
from pipeline.config.reading import load
from pipeline.config.run_config import RunConfig
from pipeline.terminal.console import FAILED, note, out, say, stop

if TYPE_CHECKING:
    from judging.judgement import Verdict
    from pipeline.cluster.submit import Service, Submitted


def submit(
    config: ConfigFile,
    platform: Annotated[
        Platform, typer.Option(help="Kubeflow Pipelines (kubeflow.endpoint) or Vertex AI.")
    ] = "kubeflow",
    overrides: Overrides = None,
    parameters: Parameters = None,
    run_name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the run. Default: the pipeline and the time."),
    ] = None,
    cron: Annotated[
        str | None,
        typer.Option(
            metavar="FIELDS",
            help="Run repeatedly. Kubeflow: six fields, seconds first: '0 0 3 * * *'; Vertex AI: "
            "five fields: '0 3 * * *'.",
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for the end and report the progress.")
    ] = True,
    wait_minutes: Annotated[
        float | None,
        typer.Option(metavar="N", min=0, help="Stop waiting after N minutes; the run continues."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compile the pipeline, run it on Kubeflow Pipelines or Vertex AI, and wait for its end.

    If Kubeflow requires a login, set KFP_TOKEN (a bearer token) or KFP_COOKIE. Vertex AI uses the
    login of gcloud (`gcloud auth application-default login`).

    Exit codes: 0 blessed (or submitted, with --no-wait or --cron), 3 not blessed, 4 undecided (too
    few test images), 1 failed, 2 wrong use.

    Example: [bold]siamese kubeflow submit my.yaml --param span=7 --param epochs=20[/]

    Example: [bold]siamese kubeflow submit my.yaml --platform vertex --cron "0 3 * * *"[/]
    """
    from pipeline.cluster import parameters as run_parameters
    from pipeline.cluster.submit import connect
    from pipeline.notify import tell_of_verdict

    settings = load(config, overrides or ())
    chosen = run_parameters.parse(parameters or [])
    _check(settings, chosen, platform, cron)
    service = connect(settings.kubeflow, platform)
    label = run_name or f"{settings.name} {datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S}"
    submitted, tasks = _submit(service, settings, platform, label, chosen, cron)
    if cron or not wait:
        if as_json:
            out.print_json(json.dumps({"outcome": None, **submitted._asdict()}))
        else:
            say(f"{label}: submitted, {submitted.link}")
        return
    note(f"{label}: submitted, {submitted.link}")
    verdict = _wait(service, settings, submitted, tasks, wait_minutes)
    tell_of_verdict(settings.notify, settings.name, label, verdict, submitted.link)
    raise typer.Exit(print_verdict(verdict, as_json, **submitted._asdict()))


def _check(
    settings: RunConfig, chosen: Mapping[str, str | int], platform: Platform, cron: str | None
) -> None:
    from pipeline.cluster.checks import check_cluster
    from pipeline.cluster.parameters import complete
    from pipeline.cluster.submit import check_cron

    check_cluster(settings, complete(settings, chosen), platform)
    if cron:
        check_cron(cron, platform)


def _submit(
    service: Service,
    settings: RunConfig,
    platform: Platform,
    label: str,
    chosen: Mapping[str, str | int],
    cron: str | None,
) -> tuple[Submitted, list[str]]:
    """Compile and submit; return the run and the names of its tasks."""
    from pipeline.cluster.compiled_file import read_spec

    with tempfile.TemporaryDirectory() as folder:
        suffix = "json" if platform == "vertex" else "yaml"
        file = Path(folder) / f"{settings.name}.{suffix}"
        compile_to(file, settings, chosen)
        submitted = service.submit(file, settings.name, label, chosen, cron)
        return submitted, list(read_spec(file).tasks)


def _wait(
    service: Service,
    settings: RunConfig,
    submitted: Submitted,
    tasks: list[str],
    minutes: float | None,
) -> Verdict:
    """Follow a run to its end; return the verdict."""
    from pipeline.cluster.submit import wait
    from pipeline.cluster.verdict import read_verdict

    limit = None if minutes is None else minutes * 60
    try:
        status = wait(service, submitted.id, tasks, str(settings.kubeflow.image), note, limit)
    except TimeoutError:
        stop(f"the run has not ended within {minutes:g} minutes; it continues: {submitted.link}")
    except KeyboardInterrupt:
        note(f"\nNo longer waiting; the run continues: {submitted.link}")
        raise
    verdict = read_verdict(service.gate_outputs(status, settings.name))
    if verdict is None:
        stop(
            "the run succeeded, but its verdict cannot be read: this machine needs read access to "
            f"{settings.kubeflow.pipeline_root}",
            FAILED,
        )
    return verdict
