"""A run that is killed in its training, and goes on there; only the encoder is tiny."""

import os
import re
import signal
import subprocess
import time
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

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


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
    launched = [*_processes("pipeline.runs.launch", run)]
    for process in [*launched, child.pid]:
        os.kill(process, signal.SIGKILL)
    child.wait()
    while not all(map(_has_ended, launched)):  # its memory is returned first, then its locks
        time.sleep(0.1)
    return log


def _has_ended(process):
    try:
        return "\nState:\tZ" in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return True


@pytest.fixture(scope="module")
def reached(place):
    """The last epoch of a training of 4 epochs before it was killed; then it went on."""
    log = kill_at(place, "epoch 2/4", *UNSERVED)
    reached = len(re.findall(r"^epoch \d+/4:", log.read_text(), re.MULTILINE))
    assert run_here(place, "config.yaml", *UNSERVED).exit_code == 0
    return reached


def test_a_run_that_died_goes_on_where_it_stopped(place, reached):
    _, outcome = outcomes(place)
    assert outcome["PairGen"] == "cached"
    assert outcome["Trainer"] == "done"


def test_its_training_goes_on_within_itself(place, reached):
    training = outcomes(place)[0]["training"]
    if reached < 4:  # else it had ended before the kill came
        assert 1 <= training["resumed_at"] <= reached
    assert training["epochs"] == 4
    assert not list((place / "runs/few/unfinished").glob("*"))


def test_it_is_equal_to_a_run_that_was_not_killed(place, reached, tmp_path_factory):
    whole = first_run(tmp_path_factory)
    assert whole.exit_code == 0, whole.stderr
    history = training_history(place, "few")
    assert history.keys() == whole.history.keys()
    for metric, values in history.items():
        np.testing.assert_allclose(values, whole.history[metric], rtol=1e-4)
