"""The `siamese` command line. Imports neither TFX nor TensorFlow until a command needs them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from pipeline.commands import ask, enroll, kubeflow
from pipeline.commands import compare as compare_command
from pipeline.commands import gate as gate_command
from pipeline.config import reading as configuration
from pipeline.config.errors import ConfigError
from pipeline.config.run_config import RunConfig
from pipeline.runs.folder_lock import FolderInUse, locked
from pipeline.runs.outcome import Outcome
from pipeline.runs.preflight import (
    check_blocks,
    check_engine,
    check_found_hyperparameters,
    check_storage,
    check_unknown,
)
from pipeline.terminal.console import (
    FAILED,
    WRONG_USE,
    Overrides,
    err,
    last_lines,
    load,
    out,
    say,
    stop,
)
from storage.file_systems import is_remote

app = typer.Typer(
    help="From a handful of labelled images to a gated, served Siamese classifier.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

app.add_typer(kubeflow.app, name="kubeflow")

ConfigFile = Annotated[
    Path,
    typer.Argument(metavar="CONFIG", help="The run's YAML file, such as configs/quickstart.yaml."),
]


def main() -> None:
    """Entry point: errors that no command expects are one sentence too."""
    try:
        app()
    except Exception as e:
        if os.environ.get("SIAMESE_DEBUG"):
            raise
        err.print(f"[red]Error:[/] {type(e).__name__}: {escape(str(e))}", highlight=False)
        err.print("This should not happen. SIAMESE_DEBUG=1 shows where it came from.")
        sys.exit(FAILED)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(metadata.version("siamese-tfx"), highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    del version  # its callback has printed it


@app.command("sample-data")
def sample_data(
    folder: Annotated[Path, typer.Argument(help="Where the images go, a folder per class.")],
    per_class: Annotated[int, typer.Option(min=1, max=170, help="Images of each digit.")] = 40,
    size: Annotated[int, typer.Option(min=8, max=512, help="Height and width in pixels.")] = 32,
    force: Annotated[bool, typer.Option(help="Write even where there are other files.")] = False,
) -> None:
    """Write real sample images: scikit-learn's handwritten digits, as PNG files.

    Example: [bold]siamese sample-data data/digits[/]
    """
    from pipeline.sample_data import SampleDataError, write_digits

    try:
        written, present = write_digits(folder, per_class, size, force)
    except SampleDataError as e:
        stop(str(e), WRONG_USE)
    except OSError as e:
        stop(f"{e.filename}: cannot be written ({e.strerror})", WRONG_USE)
    there = f" ({present} were there already)" if present else ""
    say(f"{folder}: {written} images of 10 classes written{there}.")


@app.command()
def run(
    config: ConfigFile,
    overrides: Overrides = None,
    runner: Annotated[
        str | None, typer.Option(help="`beam` or `local`; the configuration's, if left out.")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run every step anew.")] = False,
) -> None:
    """Run the whole pipeline: images in, a gated and pushed model out.

    A run that died goes on where it stopped, and steps whose code, configuration and data are
    unchanged are taken from the cache.

    Exit codes: 0 blessed, 3 not blessed, 4 too few test images to decide, 1 failed, 2 wrong use.

    Example: [bold]siamese run configs/quickstart.yaml --set training.epochs=5[/]
    """
    chosen = [f"runner={runner}"] if runner else []
    settings = load(config, [*(overrides or ()), *chosen, *(["cache=false"] if no_cache else ())])
    _check_data_root(settings)
    try:
        check_storage(settings)
        check_blocks(settings)
        check_unknown(settings)
        check_found_hyperparameters(settings)
        check_engine(settings)
    except ConfigError as e:
        stop(str(e), WRONG_USE)
    with contextlib.ExitStack() as held:
        try:
            lock = held.enter_context(locked(settings.root))
            folder = _make_run_folder(settings)
        except FolderInUse as e:
            stop(str(e))
        except OSError as e:
            where = e.filename or settings.root
            stop(f"{where}: cannot be written ({e.strerror}); set `output` elsewhere", WRONG_USE)
        log = folder / "log.txt"
        out.print(
            f"[bold]{settings.name}[/]: log in {escape(str(log))}", highlight=False, soft_wrap=True
        )
        code = _follow(folder, log, lock)
    raise typer.Exit(code)


app.command()(ask.predict)
app.command()(ask.classify)
app.command()(gate_command.gate)
app.command()(compare_command.compare)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def serve(
    context: typer.Context,
    config: ConfigFile,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of gRPC.")] = 8500,
    rest_port: Annotated[int, typer.Option(min=1, max=65535, help="Of REST.")] = 8501,
    engine: Annotated[
        str,
        typer.Option(help="`tensorflow`, `docker` or `embedded`; `auto` takes the first at hand."),
    ] = "auto",
    overrides: Overrides = None,
) -> None:
    """Serve the models that a run has pushed, the newest by default, until it is stopped.

    TensorFlow Serving serves where it is on the PATH or Docker answers; else the embedded server,
    which is for development, tests and small loads. Options that follow are those of
    tensorflow_model_server and are passed on.

    Example: [bold]siamese serve configs/quickstart.yaml --enable_batching=true[/]
    """
    from pipeline.runs.pushed import newest_model
    from serving.engine import Serving, choose, command

    settings = load(config, overrides or ())
    try:
        base_path = newest_model(settings.serving_root, settings.root / "served").parent
        chosen = choose(engine)
    except ValueError as e:
        stop(str(e), WRONG_USE)
    say(f"{settings.name} from {base_path}, by the engine '{chosen}'.")
    started = command(chosen, Serving(settings.name, base_path, port, rest_port, context.args))
    # In place of this process: signals reach the server itself.
    sys.stdout.flush()
    os.execvp(started[0], started)


@app.command()
def show(
    config: ConfigFile,
    run_id: Annotated[
        str | None, typer.Option("--run", help="Show this run whole; `latest` is the last.")
    ] = None,
    number: Annotated[int, typer.Option("-n", min=1, help="How many runs to list.")] = 10,
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """List the last runs and their outcome, or show one of them whole.

    Example: [bold]siamese show configs/quickstart.yaml --run latest[/]
    """
    from pipeline.runs.history import HistoryError, read_runs
    from pipeline.runs.summary import Summary
    from pipeline.terminal.tables import show_runs, show_summary

    settings = load(config, overrides or ())
    try:
        runs = read_runs(settings.metadata, settings.name, None if run_id else number)
    except HistoryError as e:
        stop(str(e))
    if not runs:
        stop(f"{settings.name} has no runs in {settings.root}; start one: siamese run {config}")
    summaries = {}
    for folder in _run_folders(settings):
        summary = Summary.read(folder)
        if summary and summary.run:
            summaries[summary.run.id] = summary
    if run_id is None:
        if as_json:
            out.print_json(json.dumps([json.loads(one.model_dump_json()) for one in runs]))
        else:
            show_runs(out, [(one, summaries.get(one.id)) for one in runs])
        return
    chosen = [one for one in runs if run_id in ("latest", one.id)]
    if not chosen:
        stop(f"there is no run {run_id}; the last is {runs[0].id}", WRONG_USE)
    found = summaries.get(chosen[0].id) or Summary(
        name=settings.name,
        started=chosen[0].started,
        run=chosen[0],
        serving_root=settings.serving_root,
    )
    if as_json:
        out.print_json(found.model_dump_json())
    else:
        show_summary(out, found)


app.command()(enroll.enroll)


def _follow(folder: Path, log: Path, lock: int) -> int:
    """Run it, show it, and return the exit code; the run holds the lock as long as it lives."""
    from pipeline.runs.progress import follow
    from pipeline.runs.summary import Summary
    from pipeline.terminal.tables import show_summary

    command = [sys.executable, "-m", "pipeline.runs.launch", str(folder)]
    try:
        code, component = follow(command, log, out, [lock])
    except KeyboardInterrupt:
        err.print("\nStopped. The next run goes on after the last finished component.")
        return FAILED
    summary = Summary.read(folder)
    if summary:
        show_summary(out, summary)
    if code or summary is None or summary.failure:
        where = f" in {component}" if component else ""
        err.print(f"[bold red]Failed{where}.[/]")
        if summary and summary.failure:
            say(summary.failure, err)
        if code < 0:
            say(_killed(-code), err)
        if summary is None or summary.unexpected or not summary.failure:
            say(last_lines(log, 15), err)
        say(f"The log: {log}", err)
        return FAILED
    return Outcome(summary.outcome or "not_blessed").exit_code


def _killed(number: int) -> str:
    """Why a run was ended from outside, as far as the signal's number tells."""
    told = f"the run was ended by signal {number} ({signal.strsignal(number)})"
    if number == signal.SIGKILL:
        told += (
            ", as the system does when memory runs out (`dmesg` tells). Smaller images "
            "(image.size), blocks (pairs.train) or batches (training.blocks_per_step) need less"
        )
    return f"{told}. The next run goes on where it stopped."


def _check_data_root(settings: RunConfig) -> None:
    root = settings.data.root
    if is_remote(root) or "{SPAN}" in root or Path(root).is_dir():
        return
    stop(
        f"data.root: there is no folder {root}. Name a folder with a sub-folder of images per "
        f"class, or write sample images: siamese sample-data {root}",
        WRONG_USE,
    )


def _make_run_folder(settings: RunConfig) -> Path:
    name = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    for suffix in ("", *(f"-{n}" for n in range(2, 100))):
        folder = settings.root / "runs" / (name + suffix)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        (folder / "config.yaml").write_text(configuration.dump(settings), encoding="utf-8")
        return folder
    stop(f"{settings.root}: too many runs at once")


def _run_folders(settings: RunConfig) -> list[Path]:
    return sorted((settings.root / "runs").glob("*"))
