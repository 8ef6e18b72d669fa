"""`siamese run`: run the whole pipeline on this machine."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from base.errors import UserError
from pipeline.commands.folder import config_file
from pipeline.commands.options import AsJson, FolderOrConfig, Overrides, Quiet, Verbose
from pipeline.config import reading
from pipeline.config.run_config import RunConfig
from pipeline.runs import preflight
from pipeline.runs.folder_lock import locked
from pipeline.runs.outcome import Outcome
from pipeline.runs.run_folders import LOG, create_run_folder
from pipeline.terminal.console import (
    INTERRUPTED,
    err,
    last_lines,
    note,
    out,
    progress,
    say,
)

if TYPE_CHECKING:
    from pipeline.runs.summary import Summary


def run(
    data: FolderOrConfig,
    overrides: Overrides = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run every step again.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run the pipeline: images in, a gated and pushed model out.

    A folder has a sub-folder of images per class; its configuration is written to
    runs/<folder's name>.yaml, and taken from there again.

    A run that died resumes where it stopped; steps whose code, configuration and data are unchanged
    are taken from the cache.

    Exit codes: 0 blessed, 3 not blessed, 4 undecided (too few test images), 1 failed, 2 wrong use.

    Example: [bold]siamese run configs/quickstart.yaml --set training.epochs=5[/]
    """
    config = config_file(data)
    settings = reading.load(config, [*(overrides or ()), *(["cache=false"] if no_cache else ())])
    raise typer.Exit(run_pipeline(settings, _print_json if as_json else show_run))


def run_pipeline(settings: RunConfig, show: Callable[[Summary], None]) -> int:
    """Run the pipeline, and return the command's exit code.

    Args:
        settings: The run's configuration.
        show: Shows the run's summary on standard output.

    Raises:
        UserError: The configuration cannot work, or another run is in progress.
    """
    preflight.check(settings)
    with contextlib.ExitStack() as held:
        try:
            lock = held.enter_context(locked(settings.root))
            folder = create_run_folder(settings)
        except OSError as e:
            where = e.filename or settings.root
            raise UserError(
                f"{where}: cannot be written ({e.strerror}); set `output` elsewhere"
            ) from e
        note(f"{settings.name}, run {folder.name}: log in {folder / LOG}")
        return _follow(settings, folder, lock, show)


def show_run(summary: Summary) -> None:
    """Print the summary of a run that has ended."""
    from pipeline.runs.pushed import waits_for_promotion
    from pipeline.terminal.run_summary import show_summary, show_verdict

    if progress.quiet:
        show_verdict(out, summary)
        return
    show_summary(out, summary, components=False)  # the progress has listed them
    if summary.run and summary.run.pushed and (hint := waits_for_promotion(summary.run.pushed)):
        say(hint)


def _print_json(summary: Summary) -> None:
    out.print_json(summary.model_dump_json())


def _follow(settings: RunConfig, folder: Path, lock: int, show: Callable[[Summary], None]) -> int:
    """Run the pipeline in a process of its own and show its outcome.

    Args:
        settings: The run's configuration.
        folder: The run's folder.
        lock: File descriptor of the pipeline's lock, which the process holds while it lives.
        show: Shows the summary.

    Returns:
        The command's exit code.
    """
    from pipeline.notify import tell_of_run
    from pipeline.runs.progress import follow
    from pipeline.runs.summary import Summary, record_failure

    log = folder / LOG
    command = [sys.executable, "-m", "pipeline.runs.launch", str(folder)]
    try:
        code, component = follow(command, log, progress, [lock])
    except KeyboardInterrupt:
        say("\nStopped. The next run resumes after the last finished component.", err)
        return INTERRUPTED
    summary = Summary.read(folder)
    if summary is None:  # the process could not write it
        failure = _killed(-code) if code < 0 else f"the run's process ended with exit code {code}"
        summary = record_failure(settings, folder, failure)
    show(summary)
    if summary.failure:
        err.print(f"[bold red]Failed{f' in {component}' if component else ''}.[/]")
        say(summary.failure, err)
        if summary.unexpected:
            say(last_lines(log, 15), err)
        say(f"The log: {log}", err)
    tell_of_run(settings.notify, summary)
    return (summary.outcome or Outcome.FAILED).exit_code


def _killed(number: int) -> str:
    """Return why a run was ended from outside, as far as the signal's number tells."""
    reason = f"the run was ended by signal {number} ({signal.strsignal(number)})"
    if number == signal.SIGKILL:
        reason += (
            ", as the system does when memory runs out (see `dmesg`). Smaller images (image.size), "
            "blocks (pairs.train) or batches (training.blocks_per_step) need less"
        )
    return f"{reason}. The next run resumes where it stopped."
