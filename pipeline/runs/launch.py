"""Runs a pipeline in this process. The command line starts it, with its output in the run's log.

    python -m pipeline.runs.launch FOLDER

FOLDER holds the effective configuration as `config.yaml`; `summary.json`, `training.csv`,
`judgement.json`, `audit.json`, `report.html` and `MODEL_CARD.md` are added to it. The exit code is
0 if the run completed, blessed or not, and 1 if it failed.
"""

from __future__ import annotations

import gc
import logging
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
from pipeline.runs.run_folders import CONFIG

if TYPE_CHECKING:
    from pipeline.runs.summary import Summary

PLAN = "siamese plan: "
"""Prefix of the log's line that lists the components."""

_IN_TRACEBACK = re.compile(
    r"^([\w.]+)\.(\w+): (.*?)"
    # Without this end, the message of a chained traceback would include the next traceback.
    r"(?=\n\s*\n(?:During handling of|The above exception)|\nTraceback \(most recent|\Z)",
    re.M | re.S,
)


def main(folder: Path) -> int:
    """Run the pipeline whose configuration is in a run's folder; return the exit code."""
    log_noise.quiet()
    # Steps that do not train share the process and must leave it the GPU's memory.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    config = load(folder / CONFIG)
    started = datetime.now(timezone.utc)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    from absl import logging as absl_logging

    absl_logging.set_verbosity(absl_logging.INFO)
    from pipeline.runs.summary import copy_findings, summarize

    failure, unexpected = None, False
    try:
        _prepare(config)
        _run(config, folder.name)
    except Exception as e:
        traceback.print_exc()
        failure, unexpected = explain(e), message_for_people(e) is None
    summary = summarize(config, folder.name, started, failure)
    copy_findings(summary, folder)
    write_findings(folder, summary.model_copy(update={"unexpected": unexpected}), config)
    return 1 if failure else 0


def _prepare(config: RunConfig) -> None:
    from components.pair_gen.image_store import delete_left_behind
    from pipeline.runs.beam_overhead import reduce_overhead
    from pipeline.runs.beam_workers import send_all_to_workers
    from pipeline.runs.history import read_run
    from pipeline.runs.preflight import check_enrolled, check_network

    send_all_to_workers()
    reduce_overhead()
    delete_left_behind(config.pipeline_root)
    read_run(config.metadata, config.name, "")  # TFX's own error would be SQL
    check_enrolled(config)
    check_network(config)


def _run(config: RunConfig, run_id: str) -> None:
    """Run every component that is not cached; components after a failed one do not run."""
    from tfx.dsl.compiler.compiler import Compiler
    from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
    from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
    from tfx.orchestration.portable.runtime_parameter_utils import substitute_runtime_parameter

    from pipeline import tfx_on_s3
    from pipeline.dag import create_pipeline

    if not gc.get_freeze_count():
        # What is imported stays: to go through it for garbage takes a second each time.
        gc.freeze()
    pipeline = create_pipeline(config)
    tfx_on_s3.enable(
        component.executor_spec.executor_class
        for component in pipeline.components
        if hasattr(component, "executor_spec")
    )
    print(PLAN + " ".join(component.id for component in pipeline.components), flush=True)
    compiled = Compiler().compile(pipeline)
    # The runner would choose an id of its own; ML Metadata shall know the run by its folder's name.
    substitute_runtime_parameter(compiled, {PIPELINE_RUN_ID_PARAMETER_NAME: run_id})
    BeamDagRunner().run_with_ir(compiled)


def write_findings(folder: Path, summary: Summary, config: RunConfig) -> None:
    """Write the summary, the report and the model card; a report that fails is left out."""
    from pipeline.report.report import write_report
    from pipeline.report.run_findings import read_findings

    # Before the report too, which may fail.
    summary.write(folder)
    try:
        page = write_report(folder, read_findings(folder, summary, config))
    except Exception:
        traceback.print_exc()
        return
    summary.model_copy(update={"report": str(page)}).write(folder)


def explain(error: BaseException) -> str:
    """Return an error's message; for errors other than `UserError` with the error's type."""
    message = message_for_people(error)
    if message is not None:
        return message
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
    """Return an error's message without Beam's note of the step."""
    return re.sub(r"\s*\[while running '[^']*'\]", "", str(error)).strip()


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
