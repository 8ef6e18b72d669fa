"""`run_fn` here, and on two machines that share a disk: two processes with TF_CONFIG."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import run_fn_here
import tensorflow as tf
from pair_files import write_folds, write_splits
from sample_images import encoded, picture

from storage.enrolled_images import EnrolledImage, read_enrolled_images, write_enrolled_images
from trainer import run_fn
from trainer.network.backbone import build_backbone
from trainer.settings import Model, Training

pytestmark = pytest.mark.timeout(300)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.slow
def test_two_workers_export_one_model(tiny_backbone, tmp_path):
    [train], [validation] = write_splits(tmp_path / "pairs", classes=3, each=6, passes=2)
    cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(2)]}
    root = Path(__file__).parents[2]
    helpers = root / "tests/helpers"
    workers, logs = [], [tmp_path / f"{index}.log" for index in range(2)]
    for index, log in enumerate(logs):
        task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        workers.append(
            subprocess.Popen(
                [sys.executable, str(helpers / "run_fn_here.py"), train, validation, tiny_backbone,
                 str(tmp_path)],
                env={**os.environ, "TF_CONFIG": json.dumps(task), "TMPDIR": str(tmp_path),
                     "PYTHONPATH": f"{helpers}:{root}"},
                stdout=log.open("w"),
                stderr=subprocess.STDOUT,
            )
        )  # fmt: skip
    codes = [worker.wait(300) for worker in workers]
    assert codes == [0, 0], "\n".join(log.read_text()[-3000:] for log in logs)

    model = tf.saved_model.load(str(tmp_path / "model"))
    image = tf.io.encode_png(tf.zeros([16, 16, 3], tf.uint8))
    assert model.signatures["classify"](image=image[None])["valid"].numpy().all()
    history = json.loads((tmp_path / "run/training.json").read_text())["history"]
    assert len(history["val_accuracy"]) == 2
    assert (tmp_path / "run/training.csv").read_text().count("\n") == 3  # of one worker
    assert (tmp_path / "run/pretrained_encoder/saved_model.pb").is_file()
    # Nothing else is left, by either worker; AutoGraph compiles what it writes to TMPDIR.
    assert not list((tmp_path / "unfinished").rglob("*.*"))
    left = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert left == {"0.log", "1.log", "model", "pairs", "run", "unfinished"}


def test_only_enrolled_classes_that_the_data_lacks_are_kept(tiny_backbone, tmp_path):
    [train], [validation] = write_splits(tmp_path / "pairs", classes=3, each=6, passes=2)
    (tmp_path / "served/1/assets.extra").mkdir(parents=True)
    (tmp_path / "served/1/saved_model.pb").touch()
    enrolled = [
        EnrolledImage(label, f"{label}/1.png", key, encoded(picture(key, 0, 16)))
        for key, label in enumerate(["class-0", "new"])
    ]
    write_enrolled_images(tmp_path / "served/1", enrolled)
    run_fn_here.main(
        train, validation, tiny_backbone, tmp_path, served=str(tmp_path / "served"), enrolled="x"
    )
    assert read_enrolled_images(tmp_path / "model") == enrolled[1:]
    found = json.loads((tmp_path / "run/training.json").read_text())["enrolled"]
    assert found == {"carried over": {"new": 1}, "in the training data": {"class-0": 1}}


def test_the_frozen_encoder_is_exported_with_its_head(tiny_backbone, tmp_path):
    [train], [validation] = write_splits(tmp_path / "pairs", classes=3, each=6, passes=2, spread=60)
    settings = Training(recipe="frozen_encoder", views=2).model_dump_json()
    run_fn_here.main(train, validation, tiny_backbone, tmp_path, training=settings)
    model = tf.saved_model.load(str(tmp_path / "model"))
    images = [encoded(picture(label, 2000, 16, 60)) for label in range(3)]
    answer = model.signatures["classify"](image=tf.constant(images))
    assert answer["label"].numpy().tolist() == [b"class-0", b"class-1", b"class-2"]
    pairs = model.signatures["serving_default"](
        left=tf.constant([images[0], images[0]]), right=tf.constant([images[0], images[1]])
    )
    assert pairs["similarity"].numpy()[0] > 0.9 > pairs["similarity"].numpy()[1]
    assert (tmp_path / "run/pretrained_encoder/saved_model.pb").is_file()
    assert json.loads((tmp_path / "run/training.json").read_text())["recipe"]["images"] == 36
    encoder = build_backbone(Model(backbone=str(tmp_path / "run/encoder.keras")), 16)
    pixels = tf.cast(tf.stack([tf.io.decode_png(image) for image in images]), tf.float32)
    embedded = model.signatures["embed"](image=tf.constant(images))["embedding"]
    np.testing.assert_allclose(encoder(pixels), embedded, atol=1e-5)
    assert not list((tmp_path / "unfinished").rglob("*.*"))


def test_an_enrolment_does_not_restart_an_unfinished_training(tmp_path, monkeypatch):
    class Stopped(Exception):
        pass

    folders = []

    def stop(*arguments, **_):
        folders.append(arguments[-2])
        raise Stopped

    monkeypatch.setattr(run_fn, "train_by_recipe", stop)
    for custom in ({}, {"served": str(tmp_path), "enrolled": "x"}, {"seed": 1}):
        with pytest.raises(Stopped):
            run_fn_here.main("t", "v", "imagenet", tmp_path, **custom)
    assert folders[0] == folders[1] != folders[2]


def test_unlabelled_images_leave_their_trace(tiny_backbone, tmp_path):
    files = write_folds(tmp_path / "pairs", classes=3, each=4, folds=2, spread=60)
    (tmp_path / "more").mkdir()
    for n in range(20):
        data = encoded(picture(n % 3, 5000 + n, 16, 60))
        (tmp_path / f"more/{n}.png").write_bytes(data)
    settings = Training(recipe="frozen_encoder", views=1).model_dump_json()
    run_fn_here.main(
        files[0], files[0], tiny_backbone, tmp_path, training=settings, folds=2,
        unlabelled=str(tmp_path / "more"), unlabelled_files="x",
    )  # fmt: skip
    lineage = json.loads((tmp_path / "run/unlabelled.json").read_text())
    assert len(lineage["images"]) == 20
    found = json.loads((tmp_path / "run/training.json").read_text())
    assert found["unlabelled"]["images"] == 20
    assert found["unlabelled"]["digest"] == lineage["digest"]
    model = tf.saved_model.load(str(tmp_path / "model"))
    seen = 12 + 20 * found["unlabelled"]["used"]
    assert len(model.training_keys.numpy()) == seen
    assert len(model.support.labels.numpy()) == 12  # none of them is evidence
