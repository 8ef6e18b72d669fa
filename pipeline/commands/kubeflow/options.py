"""What several of the `siamese kubeflow` commands share: an option, compiling, and the verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from base.errors import UserError
from pipeline import log_noise
from pipeline.config.run_config import RunConfig
from pipeline.runs.outcome import Outcome
from pipeline.terminal.console import out, say

if TYPE_CHECKING:
    from judging.judgement import Verdict

Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="NAME=VALUE",
        help="Set for this run: data_root, span (a number or `newest`), epochs, push_destination.",
    ),
]


def compile_to(
    path: Path, settings: RunConfig, chosen: Mapping[str, str | int] | None = None
) -> None:
    """Compile a configuration into a file, without TFX's log lines; see `compile.write`."""
    log_noise.quiet()
    from absl import logging

    from pipeline.cluster.compile import write

    logging.set_verbosity(logging.ERROR)
    try:
        write(settings, path, chosen)
    except OSError as e:
        raise UserError(f"{path}: cannot be written ({e.strerror})") from e


def print_verdict(verdict: Verdict | None, as_json: bool, **places: Any) -> int:
    """Print the verdict of a run; return the exit code.

    Args:
        verdict: The gate's verdict; None if the pipeline has no gate.
        as_json: Print JSON.
        places: Where the run, its files and its model are.
    """
    outcome = Outcome(verdict.outcome) if verdict else Outcome.NOT_BLESSED
    reasons = verdict.reasons if verdict else ("no verdict was written",)
    if as_json:
        out.print_json(json.dumps({"outcome": outcome, "reasons": reasons, **places}, default=str))
    else:
        say(f"{outcome.heading}: {'; '.join(reasons)}.")
        if outcome != Outcome.BLESSED:
            say("Nothing was pushed.")
    return outcome.exit_code
