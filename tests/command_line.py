"""Runs `siamese`, in this process or in one of its own."""

import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from pipeline import cli

SIAMESE = str(Path(sys.executable).with_name("siamese"))
"""The installed command."""


def siamese(*arguments):
    """The result of a command line; `everything` is what it printed, errors too."""
    result = CliRunner().invoke(cli.app, list(map(str, arguments)))
    result.everything = result.output + getattr(result, "stderr", "")
    return result


def siamese_process(place, *arguments, environment=None):
    """A process that has ended: the installed command, in the folder `place`.

    It starts anew, as a user's does, which costs TensorFlow's import, and of a run TFX's.
    """
    done = subprocess.run(
        [SIAMESE, *map(str, arguments)],
        cwd=place,
        env={**(os.environ if environment is None else environment), "COLUMNS": "160"},
        capture_output=True,
        text=True,
    )
    print(done.stdout, done.stderr)
    return done
