"""Runs a piece of a benchmark by itself, so that its memory is its own."""

from __future__ import annotations

import subprocess
import sys


def in_new_process(module: str, statement: str) -> str:
    """Run a statement in a new process; returns the last line that it prints.

    Args:
        module: All of whose names the statement may use, such as `benchmarks.memory`.
        statement: Python.
    """
    code = f"from {module} import *; {statement}"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip().rpartition("\n")[2]
