"""Runs that are killed, and go on where they were; only the encoder is tiny.

The tests share one pipeline folder and tell a story in order.
"""

import os
import re
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from command_line import SIAMESE, run_here
from pipeline_folder import (
    UNSERVED,
    first_run,
    outcomes,
    training_history,
    write_pipeline_folder,
)

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return write_pipeline_folder(tmp_path_factory.mktemp("killed"))


def _processes(*arguments):
    """Those whose command line holds all of the arguments."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:  # it has ended
            continue
        if set(arguments) <= set(command):
            yield int(path.parent.name)


def kill_at(place, text, *change):
    """Run with `change`, and kill it when it says `text`; returns its log's path.

    As by kill -9: the command line and the pipeline's process both.
    """
    child = subprocess.Popen(
        [SIAMESE, "run", "config.yaml", *change],
        cwd=place,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    for line in child.stderr:
        if text in line:
            break
    log = max((place / "runs/few/runs").glob("*")) / "log.txt"
    run = str(log.parent.relative_to(place))
    for process in [*_processes("pipeline.runs.launch", run), child.pid]:
        os.kill(process, signal.SIGKILL)
    child.wait()
    return log


def test_a_run_that_died_goes_on_where_it_stopped(place):
    kill_at(place, "PairGen: done", *UNSERVED)
    assert run_here(place, "config.yaml", *UNSERVED).exit_code == 0
    _, outcome = outcomes(place)
    assert outcome["PairGen"] == "cached"
    assert outcome["Trainer"] == "done"


def test_another_run_with_the_same_seed_is_equal(place, tmp_path_factory):
    """In other processes, of which one was not killed."""
    whole = first_run(tmp_path_factory)
    assert whole.exit_code == 0, whole.stderr
    history = training_history(place, "few")
    assert history.keys() == whole.history.keys()
    for metric, values in history.items():
        np.testing.assert_allclose(values, whole.history[metric], rtol=1e-4)


def test_a_training_that_was_killed_goes_on_within_itself(place):
    change = ["--set", "training.epochs=12", "--set", "training.patience=0", *UNSERVED]
    log = kill_at(place, "epoch 4/12", *change)
    reached = len(re.findall(r"^epoch \d+/12:", log.read_text(), re.MULTILINE))
    assert run_here(place, "config.yaml", *change).exit_code in (0, 3, 4)
    summary, _ = outcomes(place)
    if reached < 12:  # else it had ended before the kill came
        assert summary["training"]["resumed_at"] in (reached - 1, reached)
    assert summary["training"]["epochs"] == 12
    assert not list((place / "runs/few/unfinished").glob("*"))
