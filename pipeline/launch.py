"""Runs a pipeline in this process, whose output is a run's log. The command line starts it.

    python -m pipeline.launch FOLDER

FOLDER holds the effective configuration as `config.yaml`; `summary.json` is added to it. The exit
code is 0 where the run came to an end, blessed or not, and 1 where it failed.
"""

from __future__ import annotations

import re
import sys
import traceback
from datetime import datetime, timezone
from pathlib import Path

from pipeline import log_noise
from pipeline.config import load

PLAN = "siamese plan: "
"""Begins the line of the log that names the components."""

_FOR_PEOPLE = ("DataError", "WeightsError", "BackboneError", "TrainingError", "ConfigError")


def main(folder: Path) -> int:
    """Run the pipeline that `folder` describes; returns the exit code."""
    log_noise.quiet()
    config = load(folder / "config.yaml")
    started = datetime.now(timezone.utc)
    config.root.mkdir(parents=True, exist_ok=True)
    from absl import logging

    logging.set_verbosity(logging.INFO)
    from pipeline.dag import create_pipeline
    from pipeline.runners import run
    from pipeline.summary import summarize

    failure = None
    try:
        pipeline = create_pipeline(config)
        print(PLAN + " ".join(component.id for component in pipeline.components), flush=True)
        run(pipeline, config)
    except Exception as e:
        traceback.print_exc()
        failure = explain(e)
    summarize(config, started, failure).write(folder)
    return 1 if failure else 0


def explain(error: BaseException) -> str:
    """An error in words: ours as they are, others with their kind.

    Beam adds to an error's message where it came from, and errors of its workers arrive as the
    text of a traceback.
    """
    text = re.sub(r"\s*\[while running '[^']*'\]", "", str(error)).strip()
    name = type(error).__name__
    if name in _FOR_PEOPLE:
        return text
    found = re.findall(rf"^(?:[\w.]+\.)?(?:{'|'.join(_FOR_PEOPLE)}): (.*)", text, re.M | re.S)
    if found:
        return found[-1].strip()
    last = text.splitlines()[-1].strip() if text else ""
    return f"{name}: {last}" if last else name


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
