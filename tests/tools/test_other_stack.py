"""Which command reaches the other stack; Docker is a stand-in that keeps the script it is given."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools/other_stack.sh"
STAND_INS = {
    "getconf": "echo glibc 2.36",
    "git": "exit 0",  # no files
    # The last argument is the script for the container's shell.
    "docker": '[ "$1" != run ] || { cat >/dev/null; printf %s "${@: -1}" >"$KEPT"; }',
}


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Gives the arguments that `make` gets for those of the script."""
    for name, does in STAND_INS.items():
        program = tmp_path / name
        program.write_text(f"#!/usr/bin/env bash\n{does}\n")
        program.chmod(0o755)
    shutil.copytree(SCRIPT.parent, tmp_path / "project" / "tools")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("KEPT", str(tmp_path / "kept"))

    def given(*arguments):
        script = tmp_path / "project" / "tools" / SCRIPT.name
        subprocess.run([script, *arguments], check=True, capture_output=True)
        last = (tmp_path / "kept").read_text().rstrip().splitlines()[-1]
        shell = f"make() {{ printf '%s\\n' \"$@\"; }}; {last}"
        printed = subprocess.run(["bash", "-c", shell], check=True, capture_output=True, text=True)
        return printed.stdout.splitlines()

    return given


def test_all_tests_by_default(command):
    assert command() == ["test-all"]


def test_arguments_with_blanks_stay_whole(command):
    several = "ARGS=tests/trainer tests/judging -k 'a or b'"
    assert command("make", "test", several) == ["test", several]
