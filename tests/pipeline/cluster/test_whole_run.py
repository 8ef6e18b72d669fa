"""The real DAG, compiled and run task by task as a cluster would; only the encoder is tiny.

A task that is a process imports TFX, as its pod would, which takes 18 s of CPU time. So only two
are, one that succeeds and one that fails; the others run in this process, by the same entry point.
"""

import contextlib
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from command_line import siamese
from pipeline_folder import LENIENT
from sample_images import write_classes
from tiny_encoder import write_encoder

from pipeline.cluster import run_local, task

pytest.importorskip("kfp.pipeline_spec")

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with an encoder, images, a configuration, and the compiled pipeline."""
    folder = tmp_path_factory.mktemp("cluster with space")
    write_classes(folder / "spans" / "span-1", classes=3, each=1, size=24)  # too few to learn from
    write_classes(folder / "spans" / "span-2", classes=3, each=15, size=24, spread=160)
    write_encoder(folder / "encoder.keras")
    (folder / "config.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "few",
                "data": {"root": "gs://no-such-bucket/images"},
                "image": {"size": 16},
                "model": {"backbone": str(folder / "encoder.keras"), "embedding_size": 8},
                "training": {"recipe": "fine_tuned", "epochs": 9, "learning_rate": 0.1},
                "tuner": {"enabled": True, "algorithm": "random", "trials": 1, "epochs": 1},
                "thresholds": {**LENIENT, "auc": 0, "better_than_chance": False},
                "push": {"infra_check": None},
                "kubeflow": {
                    "image": "registry/siamese:1",
                    "pipeline_root": "gs://no-such-bucket/runs",
                    "unfinished": str(folder / "unfinished"),
                    "volumes": [{"claim": "encoders", "path": str(folder)}],
                },
            }
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = siamese("kubeflow", "compile", "config.yaml", "-o", "few.yaml")
    assert done.exit_code == 0, done.everything
    return folder


class Here:
    """A task's process, which is this one.

    Args:
        command: `python -m pipeline.cluster.task` and its arguments.
        stdout: The log, a binary file.
    """

    def __init__(self, command, *, stdout, **_):
        assert command[1:3] == ["-m", task.__name__]
        with contextlib.ExitStack() as stack:
            log = stack.enter_context(Path(stdout.name).open("w"))
            stack.enter_context(contextlib.redirect_stdout(log))
            stack.enter_context(contextlib.redirect_stderr(log))
            self._code = task.main(command[2:])

    def poll(self):
        return self._code


@pytest.fixture
def run_on(place, monkeypatch):
    """Runs the compiled pipeline on images, with one task as a process and the others here."""

    def run(images, *parameters, process):
        def start(command, *, stdout, **options):
            is_process = Path(stdout.name).parent.name == process
            return (subprocess.Popen if is_process else Here)(command, stdout=stdout, **options)

        own = SimpleNamespace(Popen=start, STDOUT=subprocess.STDOUT, DEVNULL=subprocess.DEVNULL)
        monkeypatch.setattr(run_local, "subprocess", own)
        monkeypatch.chdir(place)
        root = place / f"root {process}"
        given = [f"data_root={images}", *parameters]
        options = [part for one in given for part in ("--param", one)]
        done = siamese(
            "kubeflow", "run-local", "few.yaml", "--pipeline-root", root, "--jobs", 2, *options
        )
        return done, root

    return run


@pytest.mark.slow
def test_the_compiled_pipeline_makes_images_into_a_pushed_model(place, run_on):
    # Of DataCheck's executor, which TFX makes of a function, the process knows the name alone.
    done, root = run_on(place / "spans" / "span-{SPAN}", "epochs=2", process="DataCheck")
    assert done.exit_code == 0, done.everything
    for name in ("ImageExampleGen", "DataCheck", "Tuner", "Trainer", "Evaluator", "Pusher"):
        assert f"{name}: done" in done.stderr
    assert "Blessed: every threshold is reached" in done.stdout
    [model] = (root / "few/serving").glob("*/saved_model.pb")
    assert str(model.parent) in done.stdout
    [run] = [path for path in (root / "few").iterdir() if path.name != "serving"]
    [found] = run.glob("Tuner/*/best_hyperparameters/best_hyperparameters.txt")
    assert found.is_file()
    [history] = run.glob("Trainer/*/model_run/training.csv")
    assert len(history.read_text().splitlines()) == 1 + 2  # the run's epochs, not the compiled


def test_images_that_cannot_be_learned_from_end_the_run_in_words(place, run_on):
    done, root = run_on(place / "spans" / "nothing-here", process="ImageExampleGen")
    assert done.exit_code == 1
    assert "Failed in ImageExampleGen" in done.stderr
    assert "spans/nothing-here: there is no such folder" in done.stderr
    assert "Traceback" not in done.stderr
    [log] = root.rglob("log.txt")
    assert str(log) in done.stderr
