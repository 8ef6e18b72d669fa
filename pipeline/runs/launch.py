"""Runs a pipeline in this process, whose output is a run's log. The command line starts it.

    python -m pipeline.runs.launch FOLDER

FOLDER holds the effective configuration as `config.yaml`; `summary.json`, `training.csv`,
`curves.png`, `judgement.json`, `report.html` and `MODEL_CARD.md` are added to it. The exit code is
0 where the run came to an end, blessed or not, and 1 where it failed.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from base.errors import UserError
from pipeline import log_noise
from pipeline.config.reading import load
from pipeline.config.run_config import RunConfig

if TYPE_CHECKING:
    from pipeline.runs.summary import Summary

PLAN = "siamese plan: "
"""Begins the line of the log that names the components."""

_IN_TRACEBACK = re.compile(
    r"^([\w.]+)\.(\w+): (.*?)"
    # Without this end, the message of a chained traceback would include the next traceback.
    r"(?=\n\s*\n(?:During handling of|The above exception)|\nTraceback \(most recent|\Z)",
    re.M | re.S,
)


def main(folder: Path) -> int:
    """Run the pipeline that `folder` describes; returns the exit code."""
    log_noise.quiet()
    # Steps that do not train share the process and must leave it the GPU's memory.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    config = load(folder / "config.yaml")
    started = datetime.now(timezone.utc)
    config.root.mkdir(parents=True, exist_ok=True)
    from absl import logging

    from storage.file_systems import load_plugins

    logging.set_verbosity(logging.INFO)
    from components.pair_gen.image_store import delete_left_behind
    from pipeline.dag import create_pipeline
    from pipeline.runs.beam_workers import send_all_to_workers
    from pipeline.runs.history import read_runs
    from pipeline.runs.preflight import check_network
    from pipeline.runs.runners import run
    from pipeline.runs.summary import copy_findings, summarize

    failure, unexpected = None, False
    try:
        load_plugins(*config.addresses)
        send_all_to_workers()
        delete_left_behind(config.pipeline_root)
        read_runs(config.metadata, config.name, limit=1)  # TFX's own error would be of SQL
        check_network(config)
        pipeline = create_pipeline(config)
        print(PLAN + " ".join(component.id for component in pipeline.components), flush=True)
        run(pipeline, config)
    except Exception as e:
        traceback.print_exc()
        failure, unexpected = explain(e), message_for_people(e) is None
    summary = summarize(config, started, failure)
    copy_findings(summary, folder)
    write_findings(folder, summary.model_copy(update={"unexpected": unexpected}), config)
    return 1 if failure else 0


def write_findings(folder: Path, summary: Summary, config: RunConfig) -> None:
    """Write the summary, and the pages for people; where these fail, the log says why."""
    from components.judge.judgement_files import read_judgement
    from judging.judgement import Judgement
    from pipeline.report.report import Findings, write_report

    # Before them too: whatever happens there, the run has come to what it has come to.
    summary.write(folder)
    try:
        judged = (folder / Judgement.FILE).is_file()
        judgement = read_judgement(str(folder)) if judged else None
        page = write_report(folder, Findings(config.name, summary, judgement, config))
    except Exception:
        traceback.print_exc()
        return
    summary.model_copy(update={"report": str(page)}).write(folder)


def explain(error: BaseException) -> str:
    """An error in words: ours as they are, others with their kind."""
    ours = message_for_people(error)
    if ours is not None:
        return ours
    lines = [line.strip() for line in _text(error).splitlines()]
    # TensorFlow ends its messages with the graph's nodes.
    told = [line for line in lines if line and not line.startswith("[[")]
    name = type(error).__name__
    return f"{name}: {told[-1]}" if told else name


def message_for_people(error: BaseException) -> str | None:
    """Return the message of the `UserError` that an error is or was caused by; None without one.

    Errors of Beam's workers arrive as the text of a traceback.
    """
    cause: BaseException | None = error
    while cause is not None:
        text = _text(cause)
        if isinstance(cause, UserError):
            return text
        for module, name, message in reversed(_IN_TRACEBACK.findall(text)):
            # The modules of all components are loaded, so that nothing has to be imported.
            found = getattr(sys.modules.get(module), name, None)
            if isinstance(found, type) and issubclass(found, UserError):
                return message.strip()
        cause = cause.__cause__
    return None


def _text(error: BaseException) -> str:
    """Its message, without Beam's note of where it came from."""
    return re.sub(r"\s*\[while running '[^']*'\]", "", str(error)).strip()


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
