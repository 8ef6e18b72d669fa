"""One process of a parallel search: `python -m trainer.search.worker TASK`.

TASK is a file with a `trainer.search.search.Task` as JSON. KerasTuner's environment variables say
whether the process is the chief, which assigns trials, or a worker
(https://keras.io/keras_tuner/guides/distributed_tuning/).
"""

from __future__ import annotations

import sys
from pathlib import Path

from trainer.search.search import Task, build_tuner

if __name__ == "__main__":
    task = Path(sys.argv[1]).read_text(encoding="utf-8")
    build_tuner(Task.model_validate_json(task)).search()
