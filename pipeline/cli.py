"""The `siamese` command line. Imports neither TFX nor TensorFlow until a command needs them."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated

import typer

from base.errors import UserError
from pipeline import log_noise
from pipeline.commands import kubeflow
from pipeline.commands.check import check
from pipeline.commands.classify import classify
from pipeline.commands.compare import compare
from pipeline.commands.embed import embed
from pipeline.commands.enroll import enroll
from pipeline.commands.explain import explain
from pipeline.commands.export import export
from pipeline.commands.gate import gate
from pipeline.commands.improve import improve
from pipeline.commands.init import init
from pipeline.commands.monitor import monitor
from pipeline.commands.predict import predict
from pipeline.commands.record import record
from pipeline.commands.review import review
from pipeline.commands.run import run
from pipeline.commands.sample_data import sample_data
from pipeline.commands.search import search
from pipeline.commands.serve import serve
from pipeline.commands.show import show
from pipeline.commands.threshold import threshold
from pipeline.commands.ui import ui
from pipeline.commands.versions import promote, rollback, versions
from pipeline.runs.child_process import terminated_as_interrupted
from pipeline.terminal.console import FAILED, INTERRUPTED, WRONG_USE, err, out, print_error, say
from pipeline.terminal.help import Command, Group

app = typer.Typer(
    help="From a handful of labelled images to a gated, served Siamese classifier.",
    cls=Group,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

_commands = (
    sample_data, check, init, run, show, gate, compare, predict, classify, explain, embed, search,
    enroll, threshold, versions, promote, rollback, record, monitor, review, improve, ui, export,
)  # fmt: skip
for _command in _commands:
    app.command(_command.__name__.replace("_", "-"), cls=Command)(_command)
app.command(
    "serve",
    cls=Command,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(serve)
app.add_typer(kubeflow.app, name="kubeflow", cls=Group)


def _print_version(requested: bool) -> None:
    if requested:
        out.print(metadata.version("siamese-tfx"), highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    del version  # its callback has printed it


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line, and exit; errors are one message each and no traceback.

    Args:
        arguments: Without the program's name; those of this process by default.

    Raises:
        SystemExit: Always, with the command's exit code.
    """
    try:
        with terminated_as_interrupted():
            app(arguments and list(arguments), prog_name="siamese")
    except UserError as e:
        print_error(str(e))
        sys.exit(e.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except ModuleNotFoundError as e:
        if importlib.util.find_spec("tfx"):
            raise
        print_error(
            f"this needs {e.name}, which is not installed: siamese-tfx alone asks servers; install "
            "the pipeline too, pip install 'siamese-tfx[pipeline]'"
        )
        sys.exit(WRONG_USE)
    except Exception as e:
        if os.environ.get("SIAMESE_DEBUG") or log_noise.verbose:
            raise
        if isinstance(e, OSError) and e.filename:
            print_error(f"{os.fsdecode(e.filename)}: {e.strerror}")
            sys.exit(FAILED)
        print_error(f"{type(e).__name__}: {e}")
        say("This is a defect of siamese. SIAMESE_DEBUG=1 shows where it comes from.", err)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
