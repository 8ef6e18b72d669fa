"""Runs a search in several processes (`trainer.search.worker`): a chief, and one per worker."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from trainer.errors import TrainingError

PROCESS = os.environ.get("KERASTUNER_TUNER_ID")
"""This process's name in a parallel search; None outside of one."""

_POLL_SECONDS = 0.2


def run_in_processes(task: str, folder: Path, workers: int) -> None:
    """Run all trials of a task and wait for them.

    Args:
        task: A `trainer.search.search.Task` as JSON.
        folder: For the processes' logs.
        workers: Number of concurrent trials.

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
                [sys.executable, "-m", "trainer.search.worker", str(file)],
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
    """Wait until all workers are done; by then the chief has recorded every trial."""
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
    """A worker's value of CUDA_VISIBLE_DEVICES; None leaves that unchanged."""
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
