"""Reads the verdict of a run on a cluster from the outputs of its tasks.

The APIs of Kubeflow and Vertex AI report the states of tasks only.
"""

from __future__ import annotations

import glob
import json
from typing import NamedTuple

from judging.judgement import Judgement, Verdict
from pipeline import log_noise
from pipeline.gate.verdict import with_infra_problem
from storage import file_systems

_NOT_BLESSED = "INFRA_NOT_BLESSED"


class GateOutputs(NamedTuple):
    """Where the tasks that decide left their outputs.

    Attributes:
        judgement: Folder of the Judge's judgement, or a pattern of such folders.
        infra_blessing: Folder of InfraCheck's blessing, alike; None without that component.
    """

    judgement: str
    infra_blessing: str | None

    @classmethod
    def of_kubeflow(cls, folder: str) -> GateOutputs:
        """Return the outputs in a run's folder: <folder>/<task>/<attempt>/<output>."""
        if not file_systems.is_remote(folder):
            folder = glob.escape(folder)
        return cls(f"{folder}/Judge/*/judgement", f"{folder}/InfraCheck/*/blessing")


def read_verdict(outputs: GateOutputs) -> Verdict | None:
    """Return the verdict of the Judge and InfraCheck.

    Returns:
        None if there is none, or if it cannot be read from this machine.
    """
    try:
        judgement = _read_newest(f"{outputs.judgement}/{Judgement.FILE}")
        if judgement is None:
            return None
        verdict = Verdict.model_validate(json.loads(judgement)["verdict"])
        problem = None
        if outputs.infra_blessing:
            problem = _read_newest(f"{outputs.infra_blessing}/{_NOT_BLESSED}")
    except (OSError, ValueError, KeyError):  # StorageError is a ValueError
        return None
    if problem is None:
        return verdict
    return with_infra_problem(verdict, problem or "InfraCheck gives no reason")


def _read_newest(pattern: str) -> str | None:
    """Return the text of the newest file; a retried task has left several.

    Raises:
        OSError: It cannot be read.
    """
    log_noise.quiet()  # for gs://
    files = file_systems.glob(pattern)
    if not files:
        return None
    with file_systems.open_file(max(files, key=file_systems.modified)) as file:
        return file.read()
