"""`siamese kubeflow run-local`: run a compiled pipeline on this machine."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.kubeflow.options import Parameters, compile_to, print_verdict
from pipeline.commands.options import AsJson, Overrides, Quiet, Verbose
from pipeline.config.errors import ConfigError
from pipeline.config.reading import load
from pipeline.terminal.console import FAILED, err, last_lines, note, say
from storage.file_systems import absolute

if TYPE_CHECKING:
    from pipeline.cluster.compiled_file import Spec


def run_local(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A compiled pipeline, or a configuration to compile."),
    ],
    pipeline_root: Annotated[
        str,  # a Path would make s3:/bucket of s3://bucket
        typer.Option(metavar="FOLDER", help="Local folder for everything that the run writes."),
    ] = "runs/kubeflow",
    overrides: Overrides = None,
    parameters: Parameters = None,
    jobs: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Tasks at the same time; each needs 1 to 3 GB."),
    ] = 1,
    within: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Run each task in a container: this command is put before the task's own; {image} "
            "is the pipeline's image. The container needs the folders of the data and of "
            "--pipeline-root at the same paths.",
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run a compiled pipeline on this machine: each task is a process, as a cluster starts it.

    If a task fails, the end of its log is shown. Ctrl-C (SIGTERM, SIGHUP) ends the tasks too.

    Exit codes: 0 blessed, 3 not blessed, 4 undecided (too few test images), 1 failed, 2 wrong use.

    Example: [bold]siamese kubeflow run-local my-pipeline.yaml --param data_root=data/parts[/]

    Example: [bold]siamese kubeflow run-local my-pipeline.yaml --within "docker run --rm --init
    --volume $PWD:$PWD {image}"[/]
    """
    from pipeline.cluster.run_local import TaskFailed, run

    chosen = _parameters(parameters or [])
    prefix = _words(within or "")
    spec = _spec(file, overrides or [], needs_image=bool(within))
    try:
        outcome = run(spec, pipeline_root, chosen, jobs, note, prefix)
    except KeyboardInterrupt:
        say("\nStopped.", err)
        raise
    except TaskFailed as e:
        say(last_lines(e.log, 20), err)
        err.print(f"[bold red]Failed in {e.task}.[/]")
        say(f"{e.reason}\nLog: {e.log}", err)
        raise typer.Exit(FAILED) from None
    places = {"pushed_to": outcome.pushed_to, "folder": outcome.folder}
    code = print_verdict(outcome.verdict, as_json, **places)
    if not as_json:
        if outcome.pushed_to:
            say(f"Pushed to {outcome.pushed_to}")
        say(f"All files: {outcome.folder}")
    raise typer.Exit(code)


def _parameters(assignments: list[str]) -> dict[str, str | int]:
    from pipeline.cluster import parameters

    chosen = parameters.parse(assignments)
    for name in (parameters.DATA_ROOT.name, parameters.PUSH_DESTINATION.name):
        if name in chosen:  # a container has another working directory
            chosen[name] = absolute(str(chosen[name]))
    return chosen


def _spec(file: Path, overrides: Sequence[str], needs_image: bool) -> Spec:
    """Return a compiled pipeline; a configuration is compiled first."""
    from pipeline.cluster.compiled_file import is_compiled, read_spec

    if is_compiled(file):
        if overrides:
            raise ConfigError("--set: the pipeline is compiled; use --param, or compile it again")
        return read_spec(file)
    settings = load(file, overrides)
    if not settings.kubeflow.image and not needs_image:  # the tasks are processes
        kubeflow = settings.kubeflow.model_copy(update={"image": "none"})
        settings = settings.model_copy(update={"kubeflow": kubeflow})
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "pipeline.yaml"
        compile_to(compiled, settings)
        return read_spec(compiled)


def _words(command: str) -> list[str]:
    """Return the words of `--within`, split as a shell splits them."""
    try:
        words = shlex.split(command)
    except ValueError as e:
        raise ConfigError(f"--within {command}: {e}") from None
    if words and not shutil.which(words[0]):
        raise ConfigError(f"--within {command}: there is no command {words[0]} on this machine")
    return words
