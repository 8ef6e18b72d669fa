import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from pair_files import write_splits

import trainer.search.search
from trainer.errors import TrainingError
from trainer.search.search import Task, build_tuner
from trainer.settings import Model, Search, Training

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_splits(tmp_path_factory.mktemp("pairs"), classes=3, each=6, passes=1, spread=60)


@pytest.fixture
def task(data, tiny_backbone, tmp_path):
    def make(**search):
        return Task(
            model=Model(backbone=tiny_backbone, embedding_size=6),
            training=Training(epochs=2),
            search=Search(**{"algorithm": "random", "trials": 2, **search}),
            image_size=16,
            seed=0,
            train_files=data[0],
            validation_files=data[1],
            folder=str(tmp_path / "search"),
        )

    return make


def test_the_best_trial_has_the_best_accuracy(task, capsys):
    tuner = build_tuner(task(algorithm="bayesian", trials=3))
    tuner.search()
    scores = {i: t.score for i, t in tuner.oracle.trials.items()}
    assert len(scores) == 3
    assert tuner.oracle.get_best_trials()[0].score == max(scores.values())
    assert "training.learning_rate" in tuner.get_best_hyperparameters()[0].values
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("trial ")]
    assert len(lines) == 6
    assert '"val_accuracy": ' in lines[1]


def test_hyperband_trains_poor_ones_for_fewer_epochs(task, monkeypatch):
    epochs = []

    def train(model, training, *_):
        epochs.append(training.epochs)
        metric = [training.learning_rate]
        history = {"val_accuracy": metric, "val_auc": metric}
        return SimpleNamespace(summary={"best_epoch": 1, "history": history})

    monkeypatch.setattr(trainer.search.search, "train", train)
    tuner = build_tuner(task(algorithm="hyperband", epochs=3))
    tuner.search()
    trials = tuner.oracle.trials.values()
    assert sorted(epochs) == sorted(t.hyperparameters.values["tuner/epochs"] for t in trials)
    assert set(epochs) == {1, 3}


def start(task, tmp_path, **environment):
    file = tmp_path / "task.json"
    file.write_text(task.model_dump_json())
    return subprocess.Popen(
        [sys.executable, "-m", "trainer.search.worker", str(file)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
    )


@pytest.mark.slow
def test_a_killed_search_resumes(task, tmp_path, capsys):
    three = task(trials=3)
    broken = start(three, tmp_path)
    finished = None
    for line in broken.stdout:
        if line.startswith("trial ") and "val_accuracy" in line and finished is None:
            finished = line
        elif finished and line.startswith("trial "):  # the next one has begun
            break
    broken.send_signal(signal.SIGKILL)
    broken.wait()
    tuner = build_tuner(three)
    tuner.search()
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("trial ")]
    name = finished.split(":")[0]
    assert told
    assert not any(line.startswith(f"{name}:") for line in told)
    assert len(tuner.oracle.trials) == 3
    assert all(trial.status == "COMPLETED" for trial in tuner.oracle.trials.values())


@pytest.mark.slow
def test_two_processes_share_the_trials(task):
    tuner = build_tuner(task(trials=3, parallel_trials=2))
    tuner.search()
    trials = tuner.oracle.trials
    assert len(trials) == 3
    assert all(trial.status == "COMPLETED" for trial in trials.values())
    assert tuner.get_best_hyperparameters()
    workers = [p.name for p in Path(tuner.project_dir).glob("worker-*.json")]
    assert sorted(workers) == ["worker-0.json", "worker-1.json"]
    assert json.loads((Path(tuner.project_dir) / "task.json").read_text())["image_size"] == 16


def test_a_missing_backbone_ends_the_search_at_once(task):
    broken = task(backbones=("./nowhere.keras",))
    with pytest.raises(Exception, match=r"nowhere\.keras.*no such file"):
        build_tuner(broken).search()


def test_a_search_whose_trials_all_fail_says_why(task, monkeypatch):
    def fail(*_):
        raise TrainingError("the loss is no longer a number at step 3")

    monkeypatch.setattr(trainer.search.search, "train", fail)
    with pytest.raises(Exception, match="no longer a number at step 3"):
        build_tuner(task()).search()
