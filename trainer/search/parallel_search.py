"""Runs a search in several processes: KerasTuner's chief, and a worker to each GPU.

    python -m trainer.search.parallel_search TASK

TASK is a file with a `trainer.search.search.Task`. KerasTuner's environment variables say whether
the process is the chief, which hands out trials, or a worker
(https://keras.io/keras_tuner/guides/distributed_tuning/).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from trainer.errors import TrainingError

PROCESS = os.environ.get("KERASTUNER_TUNER_ID")
"""The name of this process in such a search; None outside of one."""

_POLL_SECONDS = 0.2


def run_in_processes(task: str, folder: Path, workers: int) -> None:
    """Run all trials of a task, and wait for them.

    Args:
        task: A `trainer.search.search.Task` as JSON.
        folder: Takes the processes' logs.
        workers: How many trials at once.

    Raises:
        TrainingError: A process failed; the message holds the end of its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "task.json"
    file.write_text(task, encoding="utf-8")
    address = {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": str(_free_port())}
    started: dict[str, subprocess.Popen] = {}
    try:
        for name, gpu in [("chief", ""), *((f"worker-{i}", _gpu(i)) for i in range(workers))]:
            environment = {**os.environ, **address, "KERASTUNER_TUNER_ID": name}
            if gpu is not None:
                environment["CUDA_VISIBLE_DEVICES"] = gpu
            started[name] = subprocess.Popen(
                [sys.executable, "-m", "trainer.search.parallel_search", str(file)],
                env=environment,
                stdout=None if name != "chief" else subprocess.DEVNULL,
                stderr=(folder / f"{name}.log").open("w"),
            )
        _wait(started, folder)
    finally:
        for process in started.values():
            process.kill()
            process.wait()


def _wait(started: dict[str, subprocess.Popen], folder: Path) -> None:
    """Until all workers are done; the chief has written every trial down by then."""
    while True:
        codes = {name: process.poll() for name, process in started.items()}
        for name, code in codes.items():
            if code:
                end = (folder / f"{name}.log").read_text(errors="replace").strip().splitlines()[-1:]
                raise TrainingError(f"the tuner's process {name} failed: {''.join(end)}")
        if all(code == 0 for name, code in codes.items() if name != "chief"):
            return
        time.sleep(_POLL_SECONDS)


def _gpu(worker: int) -> str | None:
    """The GPU of a worker, as CUDA_VISIBLE_DEVICES names it; None leaves that as it is."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        names = [name for name in visible.split(",") if name.strip() not in ("", "-1")]
        return names[worker % len(names)] if names else None
    import tensorflow as tf

    count = len(tf.config.list_physical_devices("GPU"))
    return str(worker % count) if count else None


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def main(file: str) -> None:
    """Take part in a search, as the environment says."""
    from storage.file_systems import load_plugins
    from trainer.search.search import Task, build_tuner

    task = Path(file).read_text(encoding="utf-8")
    load_plugins(task)
    build_tuner(Task.model_validate_json(task)).search()


if __name__ == "__main__":
    main(sys.argv[1])
