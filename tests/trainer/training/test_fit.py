import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from pair_files import write_splits

from tests.trainer.training import train_here
from trainer.errors import TrainingError
from trainer.settings import Augmentation, Calibration, Model, Training
from trainer.training.calibration import calibrate
from trainer.training.embedder import embedder
from trainer.training.fit import train
from trainer.training.images import held_out

pytestmark = pytest.mark.timeout(300)


def fit(data, backbone, folder, model=None, seed=0, **settings):
    return train(
        Model(**{"backbone": backbone, "embedding_size": 6, **(model or {})}),
        Training(**{"epochs": 3, "learning_rate": 0.05, **settings}),
        16,
        [str(data / "train.tfrecord")],
        [str(data / "validation.tfrecord")],
        folder,
        seed,
    )


def weights(model):
    return [np.array(w) for w in model.get_weights()]


SETTINGS = {"epochs": 5, "learning_rate": 0.05}
"""Of trainings in other processes."""


def start(data, backbone, output, environment=None, **settings):
    """A training in another process; its lines come from stdout."""
    output.mkdir(parents=True, exist_ok=True)
    here = Path(__file__).parent
    return subprocess.Popen(
        [sys.executable, str(here / "train_here.py"), str(data), backbone, str(output),
         json.dumps({**SETTINGS, **settings})],
        stdout=subprocess.PIPE,
        stderr=(output / "errors.txt").open("w"),
        text=True,
        env={**os.environ, "PYTHONPATH": str(here.parents[2]), "PYTHONUNBUFFERED": "1",
             **(environment or {})},
    )  # fmt: skip


def result(process, output):
    code = process.wait(300)
    assert code == 0, (output / "errors.txt").read_text()[-3000:]
    return outcome(output)


def outcome(output):
    """The summary and the weights that `train_here` wrote."""
    with np.load(output / "weights.npz") as found:
        return json.loads((output / "summary.json").read_text()), [found[k] for k in found.files]


def test_training_learns_and_writes_its_logs(data, tiny_backbone, tmp_path, capsys):
    trained = fit(
        data, tiny_backbone, tmp_path / "t", epochs=8, learning_rate=0.01, optimizer="adamw",
        augmentation=None,
    )  # fmt: skip
    summary, history = trained.summary, trained.summary["history"]
    assert summary["epochs"] == 8
    assert history["loss"][-1] < history["loss"][0]
    assert summary["reference_methods"].keys() == {
        "raw pixels, nearest neighbour",
        "pretrained encoder, nearest centroid",
    }
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("epoch 8/8: auc ")
    for metric in ("loss", "val_auc", "val_accuracy", "pairs/s"):
        assert metric in lines[-1]
    with (tmp_path / "t/training.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == list("01234567")
    assert list((tmp_path / "t/tensorboard").rglob("events.*"))
    points = (tmp_path / "t/tensorboard/embeddings.tsv").read_text().splitlines()
    assert len(points) == 36  # 18 support images, 18 held out
    assert not (tmp_path / "t/resume").exists()


@pytest.fixture(scope="module")
def trained(data, tiny_backbone, tmp_path_factory):
    """A training whose accuracy rises and falls."""
    return fit(data, tiny_backbone, tmp_path_factory.mktemp("best"), epochs=6, learning_rate=0.3)


def test_the_best_epochs_weights_are_kept(trained):
    history = trained.summary["history"]
    figures = list(zip(history["val_accuracy"], history["val_auc"], strict=True))
    assert trained.summary["best_epoch"] == max(
        i + 1 for i, found in enumerate(figures) if found == max(figures)
    )


def test_metrics_are_those_of_the_kept_weights(data, trained):
    from trainer.training.callbacks.validation import Validation

    validation = Validation(
        trained.support, held_out([str(data / "validation.tfrecord")], 16), embedder(trained.model)
    )
    validation.set_model(trained.model)
    kept = trained.summary["best_epoch"] - 1
    history = trained.summary["history"]
    metrics = validation.evaluate()
    assert metrics["val_auc"] == pytest.approx(history["val_auc"][kept])
    assert metrics["val_accuracy"] == pytest.approx(history["val_accuracy"][kept])


def test_support_set_and_calibration_are_those_of_the_kept_weights(data, trained):
    embed = embedder(trained.model)
    support = embed(trained.support.pixels)
    np.testing.assert_allclose(trained.support_embeddings, support, rtol=1e-4, atol=1e-5)
    held = held_out([str(data / "validation.tfrecord")], 16)
    thresholds, score = calibrate(
        trained.model, support, trained.support.labels, embed(held.images.pixels), held,
        Calibration(),
    )  # fmt: skip
    *expected, scored_by = thresholds
    assert trained.thresholds[:-1] == pytest.approx(expected, rel=1e-3)
    assert trained.thresholds.scored_by == scored_by
    assert trained.summary["calibration"] == trained.thresholds._asdict()
    assert trained.summary["score"]["scored_by"] == scored_by
    assert trained.summary["score"]["sentence"] == score.sentence()


def test_patience_stops_training_early(data, tiny_backbone, tmp_path):
    # Nothing is learned, so no epoch is better than the first.
    trained = fit(
        data, tiny_backbone, tmp_path / "p", epochs=9, patience=2, learning_rate=1e-12,
        frozen_epochs=0, last_blocks_epochs=0,
    )  # fmt: skip
    assert trained.summary["epochs"] == 3


def test_equal_seeds_give_equal_weights(data, tiny_backbone, tmp_path):
    augmented = {"augmentation": Augmentation(rotation=20), "epochs": 2}
    one, same, other = (
        weights(fit(data, tiny_backbone, tmp_path / name, seed=seed, **augmented).model)
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(not np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def killed(data, tiny_backbone, tmp_path_factory):
    """The folder of a training of five epochs that was killed after the third."""
    folder = tmp_path_factory.mktemp("killed")
    process = start(data, tiny_backbone, folder)
    for line in process.stdout:
        if line.startswith("epoch 3/5: "):
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait(60) == -signal.SIGKILL
    return folder


def trained_here(data, backbone, output):
    """What `start` trains, in this process: the summary and the weights."""
    output.mkdir(exist_ok=True)
    train_here.main(str(data), backbone, str(output), json.dumps(SETTINGS))
    return outcome(output)


@pytest.mark.slow
def test_a_killed_training_resumes_as_if_uninterrupted(data, tiny_backbone, killed, tmp_path):
    expected, expected_weights = trained_here(data, tiny_backbone, tmp_path / "whole")
    shutil.copytree(killed, tmp_path / "killed")
    summary, found_weights = trained_here(data, tiny_backbone, tmp_path / "killed")
    assert summary["resumed_at"] in (2, 3)  # killed before or after the third was kept
    assert summary["epochs"] == 5
    for name in ("loss", "auc", "val_auc", "val_accuracy"):
        np.testing.assert_allclose(summary["history"][name], expected["history"][name], rtol=1e-4)
    for a, b in zip(found_weights, expected_weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_half_written_backup_does_not_stop_the_next_attempt(
    data, tiny_backbone, killed, tmp_path
):
    shutil.copytree(killed, tmp_path / "killed")
    latest = tmp_path / "killed/training/resume/latest.weights.h5"
    latest.write_bytes(latest.read_bytes()[:500])
    summary, _ = trained_here(data, tiny_backbone, tmp_path / "killed")
    assert summary["epochs"] == 5


def test_a_loss_that_is_not_finite_stops_training(data, tiny_backbone, tmp_path):
    with pytest.raises(TrainingError, match=r"step \d+, where the learning rate is .*lower") as e:
        fit(data, tiny_backbone, tmp_path / "nan", learning_rate=1e30, weight_decay=0, warmup=0,
            loss="contrastive_margin", model={"article": {"normalize": False}})  # fmt: skip
    assert str(tmp_path / "nan/resume") in str(e.value)


def test_the_last_good_checkpoint_survives_a_nan(data, tiny_backbone, tmp_path, monkeypatch):
    from trainer.training.callbacks.stop_at_nan import StopAtNaN

    def after_two_epochs(self, batch, logs=None):
        if int(self.model.optimizer.iterations) > 14:
            logs = {"loss": float("nan")}
        judge(self, batch, logs)

    judge = StopAtNaN.on_train_batch_end
    monkeypatch.setattr(StopAtNaN, "on_train_batch_end", after_two_epochs)
    with pytest.raises(TrainingError, match="step 15"):
        fit(data, tiny_backbone, tmp_path / "nan", epochs=5)
    monkeypatch.undo()
    assert fit(data, tiny_backbone, tmp_path / "nan", epochs=5).summary["resumed_at"] == 2


def test_no_training_pairs(tmp_path, data, tiny_backbone):
    (tmp_path / "validation.tfrecord").write_bytes((data / "validation.tfrecord").read_bytes())
    from pair_files import write_blocks

    write_blocks(tmp_path / "train.tfrecord", [], [])
    with pytest.raises(TrainingError, match="holds no pair block"):
        fit(tmp_path, tiny_backbone, tmp_path / "none")


@pytest.fixture(scope="module")
def four_layers(tmp_path_factory) -> str:
    """A saved encoder of four layers with weights, of which the last two are its last blocks."""
    keras.utils.set_random_seed(0)
    convolutions = [keras.layers.Conv2D(4, 3, strides=2, padding="same") for _ in range(4)]
    path = tmp_path_factory.mktemp("encoder") / "four.keras"
    keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Rescaling(1 / 255), *convolutions]
    ).save(path)
    return str(path)


@pytest.mark.parametrize(
    ("epochs", "moved"),
    [
        ({"epochs": 2, "frozen_epochs": 2}, [False] * 4),
        ({"epochs": 2, "frozen_epochs": 1, "last_blocks_epochs": 1}, [False, False, True, True]),
        ({"epochs": 2, "frozen_epochs": 1, "last_blocks_epochs": 0}, [True] * 4),
        ({"epochs": 3}, [True] * 4),
    ],
)
def test_the_backbone_is_unfrozen_from_its_end(data, four_layers, tmp_path, epochs, moved):
    kernels = [w for w in weights(keras.models.load_model(four_layers)) if w.ndim == 4]
    trained = fit(data, four_layers, tmp_path / "t", keep="last", weight_decay=0.1, **epochs)
    found = [w for w in weights(trained.model.encoder.get_layer("backbone")) if w.ndim == 4]
    assert [not np.array_equal(a, b) for a, b in zip(kernels, found, strict=True)] == moved


def test_patience_begins_when_all_layers_are_trained(data, tiny_backbone, tmp_path):
    trained = fit(
        data, tiny_backbone, tmp_path / "p", epochs=9, patience=2, learning_rate=1e-12,
        frozen_epochs=1, last_blocks_epochs=3,
    )  # fmt: skip
    assert trained.summary["epochs"] == 6


@pytest.mark.parametrize(
    "loss",
    ["cosine_crossentropy", "contrastive_margin", "triplet_semi_hard", "binary_crossentropy"],
)
def test_every_loss_learns(data, tiny_backbone, tmp_path, loss):
    trained = fit(
        data, tiny_backbone, tmp_path / loss, loss=loss, epochs=20, learning_rate=0.02,
        optimizer="adamw", augmentation=None,
    )  # fmt: skip
    history = trained.summary["history"]
    assert history["loss"][-1] < history["loss"][0] * 0.99
    assert max(history["val_auc"]) > 0.6


def test_the_two_pass_step_of_2019(data, tiny_backbone, tmp_path):
    article = {"loss": "binary_crossentropy", "augmentation": None, "epochs": 2, "keep": "last"}
    sides = fit(data, tiny_backbone, tmp_path / "s", article={"two_passes": True}, **article)
    once = fit(data, tiny_backbone, tmp_path / "o", **article)
    # Without batch normalization both ways compute the same gradient.
    for a, b in zip(weights(sides.model), weights(once.model), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_mixed_precision_keeps_weights_and_answers_in_float32(
    data, tiny_backbone, tmp_path, precision
):
    trained = fit(data, tiny_backbone, tmp_path / precision, mixed_precision=precision, epochs=2)
    assert trained.model.encoder.get_layer("embedding").compute_dtype == precision
    assert {w.dtype for w in weights(trained.model)} <= {np.dtype("float32"), np.dtype("uint32")}
    assert np.isfinite(trained.summary["history"]["loss"]).all()
    assert trained.model(trained.support.pixels[:2]).dtype == "float32"
    import keras

    assert keras.config.dtype_policy().name == "float32"  # others in this process go on as before


@pytest.mark.slow
def test_two_machines_train_like_one_with_the_same_global_batch(data, tiny_backbone, tmp_path):
    """Two processes on loopback, a block each; against one process with two blocks a step."""
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    pairwise = {
        "loss": "binary_crossentropy", "augmentation": None, "epochs": 3, "keep": "last",
        "optimizer": "sgd", "refit": True,
    }  # fmt: skip
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    outputs = [tmp_path / "shared" / str(i) for i in range(2)]
    workers = [
        start(
            data, tiny_backbone, outputs[i],
            {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}})},
            **pairwise,
        )
        for i in range(2)
    ]  # fmt: skip
    (_, first), (_, second) = (result(w, o) for w, o in zip(workers, outputs, strict=True))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    alone = fit(data, tiny_backbone, tmp_path / "alone", blocks_per_step=2,
                model={"batch_norm": "trained"}, **pairwise)  # fmt: skip
    for a, b in zip(first, weights(alone.model), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_two_devices_train_like_one(data, tiny_backbone, tmp_path):
    """MirroredStrategy, on two logical CPU devices; all gradients are longer than `clip_norm`."""
    pairwise = {
        "loss": "binary_crossentropy", "augmentation": None, "epochs": 3, "keep": "last",
        "learning_rate": 0.05, "clip_norm": 0.01,
    }  # fmt: skip
    script = (
        "import sys, tensorflow as tf\n"
        "[cpu] = tf.config.list_physical_devices('CPU')\n"
        "half = tf.config.LogicalDeviceConfiguration()\n"
        "tf.config.set_logical_device_configuration(cpu, [half, half])\n"
        "from trainer.training import fit\n"
        "fit.choose_strategy = lambda: tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])\n"
        "import train_here\n"
        "train_here.main(*sys.argv[1:])\n"
    )
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", script, str(data), tiny_backbone, str(tmp_path),
         json.dumps(pairwise)],
        env={**os.environ, "PYTHONPATH": f"{here}:{here.parents[2]}"},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    alone = fit(data, tiny_backbone, tmp_path / "alone", blocks_per_step=2,
                model={"batch_norm": "trained"}, **pairwise)  # fmt: skip
    with np.load(tmp_path / "weights.npz") as found:
        mirrored = [found[name] for name in found.files]
    for a, b in zip(mirrored, weights(alone.model), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("classes", "each"), [(2, 2), (2, 40), (60, 2)])
def test_few_and_many_classes_and_images(tiny_backbone, tmp_path, classes, each):
    write_splits(tmp_path, classes=classes, each=each, passes=1)
    trained = fit(tmp_path, tiny_backbone, tmp_path / "t", epochs=1)
    history = trained.summary["history"]
    assert all(np.isfinite(history[name]).all() for name in ("loss", "val_auc", "val_accuracy"))
    assert len(trained.support.labels) == classes * each
