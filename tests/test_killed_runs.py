"""Runs that are killed, and go on where they were; only the encoder is tiny.

The tests share one pipeline folder and tell a story in order.
"""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from command_line import SIAMESE, run_here
from pipeline_folder import UNSERVED, outcomes, write_pipeline_folder

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


def test_another_run_with_the_same_seed_is_equal(place):
    assert run_here(place, "config.yaml", "--set", "name=other", *UNSERVED).exit_code == 0
    histories = []
    for name in ("few", "other"):
        [training] = (place / "runs" / name / "pipeline/Trainer").rglob("training.json")
        history = json.loads(training.read_text())["history"]
        histories.append(
            {k: v for k, v in history.items() if k not in ("seconds", "pairs_per_second")}
        )
    for metric, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][metric], rtol=1e-4)


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
