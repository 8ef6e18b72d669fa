"""`siamese run`: run the whole pipeline on this machine."""

from __future__ import annotations

import contextlib
import signal
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer

from base.errors import UserError
from pipeline.commands.options import AsJson, ConfigFile, Overrides, Quiet
from pipeline.config import reading
from pipeline.config.run_config import RunConfig
from pipeline.runs import preflight
from pipeline.runs.folder_lock import locked
from pipeline.runs.outcome import Outcome
from pipeline.terminal.console import (
    FAILED,
    INTERRUPTED,
    err,
    last_lines,
    note,
    out,
    progress,
    say,
)
from storage.file_systems import is_remote


def run(
    config: ConfigFile,
    overrides: Overrides = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run every step again.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = None,
) -> None:
    """Run the pipeline: images in, a gated and pushed model out.

    A run that died resumes where it stopped; steps whose code, configuration and data are unchanged
    are taken from the cache.

    Exit codes: 0 blessed, 3 not blessed, 4 undecided (too few test images), 1 failed, 2 wrong use.

    Example: [bold]siamese run configs/quickstart.yaml --set training.epochs=5[/]
    """
    settings = reading.load(config, [*(overrides or ()), *(["cache=false"] if no_cache else ())])
    _check(settings)
    with contextlib.ExitStack() as held:
        try:
            lock = held.enter_context(locked(settings.root))
            folder = _make_run_folder(settings)
        except OSError as e:
            where = e.filename or settings.root
            raise UserError(
                f"{where}: cannot be written ({e.strerror}); set `output` elsewhere"
            ) from e
        note(f"{settings.name}: log in {folder / 'log.txt'}")
        code = _follow(folder, lock, as_json)
    raise typer.Exit(code)


def _check(settings: RunConfig) -> None:
    """Refuse what cannot work, as far as that is known without TFX.

    Raises:
        UserError: Something in the configuration cannot work.
    """
    _check_data_root(settings)
    preflight.check_storage(settings)
    preflight.check_blocks(settings)
    preflight.check_unknown(settings)
    preflight.check_found_hyperparameters(settings)
    preflight.check_engine(settings)


def _check_data_root(settings: RunConfig) -> None:
    root = settings.data.root
    if is_remote(root) or "{SPAN}" in root or Path(root).is_dir():
        return
    raise UserError(
        f"data.root: there is no folder {root}. Name a folder with a sub-folder of images per "
        f"class, or write sample images: siamese sample-data {root}"
    )


def _make_run_folder(settings: RunConfig) -> Path:
    name = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    for suffix in ("", *(f"-{n}" for n in range(2, 100))):
        folder = settings.root / "runs" / (name + suffix)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        (folder / "config.yaml").write_text(reading.dump(settings), encoding="utf-8")
        return folder
    raise UserError(f"{settings.root}: too many runs within a second; try again")


def _follow(folder: Path, lock: int, as_json: bool) -> int:
    """Run the pipeline in a process of its own and show its outcome.

    Args:
        folder: The run's folder.
        lock: File descriptor of the pipeline's lock, which the process holds while it lives.
        as_json: Print the summary as JSON.

    Returns:
        The command's exit code.
    """
    from pipeline.runs.progress import follow
    from pipeline.runs.summary import Summary
    from pipeline.terminal.run_summary import show_summary, show_verdict

    log = folder / "log.txt"
    command = [sys.executable, "-m", "pipeline.runs.launch", str(folder)]
    try:
        code, component = follow(command, log, progress, [lock])
    except KeyboardInterrupt:
        say("\nStopped. The next run resumes after the last finished component.", err)
        return INTERRUPTED
    summary = Summary.read(folder)
    if summary and as_json:
        out.print_json(summary.model_dump_json())
    elif summary and progress.quiet:
        show_verdict(out, summary)
    elif summary:
        show_summary(out, summary, components=False)  # the progress has listed them
    if code or summary is None or summary.failure:
        _explain_failure(code, component, summary, log)
        return FAILED
    return Outcome(summary.outcome or "not_blessed").exit_code


def _explain_failure(code: int, component: str | None, summary, log: Path) -> None:
    where = f" in {component}" if component else ""
    err.print(f"[bold red]Failed{where}.[/]")
    if summary and summary.failure:
        say(summary.failure, err)
    if code < 0:
        say(_killed(-code), err)
    if summary is None or summary.unexpected or not summary.failure:
        say(last_lines(log, 15), err)
    say(f"The log: {log}", err)


def _killed(number: int) -> str:
    """Return why a run was ended from outside, as far as the signal's number tells."""
    reason = f"the run was ended by signal {number} ({signal.strsignal(number)})"
    if number == signal.SIGKILL:
        reason += (
            ", as the system does when memory runs out (see `dmesg`). Smaller images (image.size), "
            "blocks (pairs.train) or batches (training.blocks_per_step) need less"
        )
    return f"{reason}. The next run resumes where it stopped."
