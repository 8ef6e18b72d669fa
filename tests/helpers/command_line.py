"""Runs `siamese`, in this process or in one of its own."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline import cli

SIAMESE = str(Path(sys.executable).with_name("siamese"))
"""The installed command."""


class Result(NamedTuple):
    """A command's exit code and what it printed; `everything` is both streams in order."""

    exit_code: int
    stdout: str
    stderr: str
    everything: str


class _Stream(io.StringIO):
    def __init__(self, both):
        super().__init__()
        self.both = both

    def write(self, text):
        self.both.write(text)
        return super().write(text)


def siamese(*arguments):
    """The result of a command line, as the entry point gives it."""
    both = io.StringIO()
    out, err = _Stream(both), _Stream(both)
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main(list(map(str, arguments)))
        except SystemExit as e:
            code = e.code or 0
    return Result(code, out.getvalue(), err.getvalue(), both.getvalue())


def run_here(place, *arguments, command="run"):
    """The result of `siamese run`, or another command with a run, in the folder `place`.

    The pipeline runs in this process, so that TFX, which takes a process 18 s of CPU time, is
    imported once. There are no lines about the progress.
    """
    from pipeline.runs import launch, progress
    from pipeline.runs.run_folders import LOG

    def follow(command, *_):
        folder = Path(command[-1])
        log = (folder / LOG).open("w")
        with log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            return launch.main(folder), None

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(progress, "follow", follow)
        return siamese(command, *arguments)


def siamese_process(place, *arguments, environment=None):
    """A process that has ended: the installed command, in the folder `place`.

    It starts anew, as a user's does, which costs TensorFlow's import, and of a run TFX's.
    """
    done = subprocess.run(
        [SIAMESE, *map(str, arguments)],
        cwd=place,
        env=os.environ if environment is None else environment,
        capture_output=True,
        text=True,
    )
    print(done.stdout, done.stderr)
    return done
