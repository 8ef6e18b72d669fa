"""`run_fn` on two machines that share a disk: two processes with TF_CONFIG."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import tensorflow as tf
from pair_files import write_splits


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_two_workers_export_one_model(tiny_backbone, tmp_path):
    [train], [validation] = write_splits(tmp_path / "pairs", classes=3, each=6, passes=2)
    cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(2)]}
    tests = Path(__file__).parents[1]
    workers, logs = [], [tmp_path / f"{index}.log" for index in range(2)]
    for index, log in enumerate(logs):
        task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        workers.append(
            subprocess.Popen(
                [sys.executable, str(tests / "run_fn_here.py"), train, validation, tiny_backbone,
                 str(tmp_path)],
                env={**os.environ, "TF_CONFIG": json.dumps(task), "TMPDIR": str(tmp_path),
                     "PYTHONPATH": f"{tests}:{tests.parent}"},
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
    # Nothing else is left, by either worker.
    assert not list((tmp_path / "unfinished").rglob("*.*"))
    assert {path.name for path in tmp_path.iterdir()} == {
        "0.log", "1.log", "model", "pairs", "run", "unfinished",
    }  # fmt: skip
