"""`siamese kubeflow`: compile, submit, run-local."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import log_noise
from pipeline.commands.options import Overrides
from pipeline.config.errors import ConfigError
from pipeline.config.reading import load
from pipeline.config.run_config import RunConfig
from pipeline.runs.outcome import Outcome
from pipeline.terminal.console import (
    FAILED,
    WRONG_USE,
    err,
    last_lines,
    say,
    stop,
)
from storage.file_systems import absolute

if TYPE_CHECKING:
    from judging.judgement import Verdict
    from pipeline.cluster.submit import Endpoint

app = typer.Typer(
    help="Run the pipeline on Kubeflow Pipelines 2 or Vertex AI, or its compiled form here.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
ConfigFile = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="The run's YAML file, with a kubeflow section.")
]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="NAME=VALUE",
        help="Set for this run: data_root, span (a number or `newest`), epochs, push_destination.",
    ),
]


@app.command("compile")
def compile_(
    config: ConfigFile,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The file: .yaml for Kubeflow Pipelines, .json for Vertex AI."
        ),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Write the pipeline as a file that Kubeflow Pipelines (.yaml) or Vertex AI (.json) runs.

    Example: [bold]siamese kubeflow compile my.yaml -o my-pipeline.yaml[/]
    """
    settings = load(config, overrides or ())
    path = output or Path(f"{settings.name}.pipeline.yaml")
    _compile(settings, path)
    say(f"{path}: compiled for {'Vertex AI' if path.suffix == '.json' else 'Kubeflow Pipelines'}.")


@app.command()
def submit(
    config: ConfigFile,
    overrides: Overrides = None,
    parameters: Parameters = None,
    run_name: Annotated[
        str | None, typer.Option(help="In the list of runs; left out: the name and the time.")
    ] = None,
    cron: Annotated[
        str | None,
        typer.Option(help="Run again and again; six fields, seconds first: '0 0 3 * * *'."),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the end and tell of the progress.")] = True,
    wait_minutes: Annotated[
        float | None, typer.Option(min=0, help="Wait so long at most; the run goes on.")
    ] = None,
) -> None:
    """Compile, upload and run the pipeline on Kubeflow Pipelines, and wait for its end.

    Where the endpoint asks who you are, set KFP_TOKEN (a bearer token) or KFP_COOKIE.

    Exit codes: 0 blessed (or submitted, with --no-wait or --cron), 3 not blessed, 4 undecided (too
    few images), 1 failed, 2 wrong use.

    Example: [bold]siamese kubeflow submit my.yaml --param span=7 --param epochs=20[/]

    Example: [bold]siamese kubeflow submit my.yaml --cron "0 0 3 * * *"[/]
    """
    from pipeline.cluster import parameters as of_run
    from pipeline.cluster.reach import check_reachable
    from pipeline.cluster.submit import Endpoint, EndpointError, check_cron, exposed_login

    settings = load(config, overrides or ())
    try:
        chosen = of_run.parse(parameters or [])
        defaults = {one.name: one.default(settings) for one in of_run.PARAMETERS}
        of_run.check_span_fits({**defaults, **chosen})
        check_reachable(settings, {**defaults, **chosen})
        if cron:
            check_cron(cron)
        if warning := exposed_login(settings.kubeflow):
            say(f"Warning: {warning}.", err)
        endpoint = Endpoint(settings.kubeflow)
        label = run_name or f"{settings.name} {datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S}"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{settings.name}.yaml"
            _compile(settings, file)
            made = endpoint.submit(file, settings.name, label, chosen, cron)
            tasks = _tasks(file)
    except ConfigError as e:
        stop(str(e), WRONG_USE)
    except EndpointError as e:
        stop(str(e))
    say(f"{label}: submitted, {made.link}")
    if cron or not wait:
        return
    raise typer.Exit(_wait(endpoint, settings, made.id, tasks, wait_minutes))


@app.command("run-local")
def run_local(
    file: Annotated[
        Path, typer.Argument(help="A compiled pipeline, or a configuration, which is compiled.")
    ],
    pipeline_root: Annotated[
        str,  # no Path, which would make s3:/bucket of s3://bucket
        typer.Option(metavar="FOLDER", help="A local folder, for all that the run writes."),
    ] = "runs/kubeflow",
    overrides: Overrides = None,
    parameters: Parameters = None,
    jobs: Annotated[int, typer.Option(min=1, help="Tasks at once; each takes 1 to 3 GB.")] = 1,
    within: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Run each task in its container, by this command before the task's own; "
            "{image} is the pipeline's image. Give the container the folders of data and "
            "--pipeline-root, at the same paths.",
        ),
    ] = None,
) -> None:
    """Run a compiled pipeline here: each task a process, as the cluster would start it.

    A failed task's log is shown, and the run ends with exit code 1. Ctrl-C (SIGTERM, SIGHUP) ends
    the tasks too.

    Exit codes: 0 blessed, 3 not blessed, 4 undecided (too few images), 1 failed, 2 wrong use.

    Example: [bold]siamese kubeflow run-local my-pipeline.yaml --param data_root=data/parts[/]

    Example: [bold]siamese kubeflow run-local my-pipeline.yaml --within "docker run --rm --init
    --volume $PWD:$PWD {image}"[/]
    """
    from pipeline.cluster import parameters as of_run
    from pipeline.cluster.run_local import TaskFailed, read_spec, run

    try:
        chosen = of_run.parse(parameters or [])
        for name in (of_run.DATA_ROOT.name, of_run.PUSH_DESTINATION.name):
            if name in chosen:  # a container has a working directory of its own
                chosen[name] = absolute(str(chosen[name]))
        with tempfile.TemporaryDirectory() as folder:
            compiled = file
            if not _is_compiled(file):
                compiled = Path(folder) / "pipeline.yaml"
                settings = load(file, overrides or ())
                if not settings.kubeflow.image and not within:  # nothing runs in it here
                    here = settings.kubeflow.model_copy(update={"image": "none"})
                    settings = settings.model_copy(update={"kubeflow": here})
                _compile(settings, compiled)
            elif overrides:
                raise ConfigError("--set: the pipeline is compiled; use --param, or compile anew")
            spec = read_spec(compiled)
        outcome = run(spec, pipeline_root, chosen, jobs, say, _words(within or ""))
    except ConfigError as e:
        stop(str(e), WRONG_USE)
    except KeyboardInterrupt:
        err.print("\nStopped.")
        raise typer.Exit(FAILED) from None
    except TaskFailed as e:
        say(last_lines(e.log, 20), err)
        err.print(f"[bold red]Failed in {e.task}.[/]")
        say(e.reason, err)
        say(f"The log: {e.log}", err)
        raise typer.Exit(FAILED) from None
    code = Outcome.NOT_BLESSED.exit_code if outcome.verdict is None else _tell(outcome.verdict)
    if outcome.pushed_to:
        say(f"Pushed to {outcome.pushed_to}")
    say(f"All files: {outcome.folder}")
    raise typer.Exit(code)


def _wait(
    endpoint: Endpoint, settings: RunConfig, run_id: str, tasks: list[str], minutes: float | None
) -> int:
    """Follow a run to its end; returns the exit code."""
    from pipeline.cluster.submit import EndpointError, RunFailed
    from pipeline.cluster.verdict import read_verdict

    limit = None if minutes is None else minutes * 60
    root = settings.kubeflow.pipeline_root or ""
    try:
        endpoint.wait(run_id, tasks, settings.kubeflow.image or "", say, limit)
    except TimeoutError:
        stop(f"the run has not ended within {minutes:g} minutes; it goes on")
    except KeyboardInterrupt:
        stop("not waiting any longer; the run goes on")
    except (RunFailed, EndpointError) as e:
        stop(str(e))
    verdict = read_verdict(f"{root.rstrip('/')}/{settings.name}/{run_id}")
    if verdict is None:
        stop(
            f"the run succeeded; whether its model was blessed cannot be read from here: {root} "
            "must be readable on this machine"
        )
    return _tell(verdict)


def _tell(verdict: Verdict) -> int:
    """Say what came of the gate; returns the exit code."""
    outcome = Outcome(verdict.outcome)
    say(f"{outcome.heading}: {'; '.join(verdict.reasons)}.")
    if outcome is not Outcome.BLESSED:
        say("Nothing is pushed.")
    return outcome.exit_code


def _compile(settings: RunConfig, path: Path) -> None:
    log_noise.quiet()
    from absl import logging

    from pipeline.cluster.compile import write

    logging.set_verbosity(logging.ERROR)  # TFX says much while it compiles

    try:
        write(settings, path)
    except ConfigError as e:
        stop(str(e), WRONG_USE)
    except OSError as e:
        stop(f"{path}: cannot be written ({e.strerror})", WRONG_USE)


def _words(command: str) -> list[str]:
    """The words of `--within`, as a shell would take them."""
    try:
        words = shlex.split(command)
    except ValueError as e:
        raise ConfigError(f"--within {command}: {e}") from None
    if words and not shutil.which(words[0]):
        raise ConfigError(f"--within {command}: there is no command {words[0]} on this machine")
    return words


def _is_compiled(path: Path) -> bool:
    """Whether a file looks like what `compile` writes, rather than a configuration."""
    try:
        return '"pipelineSpec"' in (text := path.read_text("utf-8")) or "\ndeploymentSpec:" in text
    except (OSError, UnicodeDecodeError):
        return True  # read_spec says what is wrong with it


def _tasks(file: Path) -> list[str]:
    from pipeline.cluster.run_local import read_spec

    return list(read_spec(file)["root"]["dag"]["tasks"])
