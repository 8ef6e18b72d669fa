"""The verdict of a run on a cluster, from the files that its tasks leave.

Kubeflow's API tells of tasks, not of verdicts.
"""

from __future__ import annotations

import json

from pydantic import ValidationError

from components.judge.judgement import Judgement, Verdict
from pipeline.verdict import with_server_check

# <run>/<task>/<attempt>/<output>/<file>, as Kubeflow's driver lays them out.
_JUDGEMENT = f"Judge/*/judgement/{Judgement.FILE}"
_NOT_SERVED = "InfraCheck/*/blessing/INFRA_NOT_BLESSED"


def read_verdict(folder: str) -> Verdict | None:
    """What the Judge and InfraCheck said.

    Args:
        folder: Of the run, in any of TensorFlow's file systems.

    Returns:
        None where they left nothing, or nothing that can be read from here.
    """
    import tensorflow as tf

    try:
        if not (judgement := _newest(f"{folder}/{_JUDGEMENT}")):
            return None
        with tf.io.gfile.GFile(judgement) as file:
            verdict = Verdict.model_validate(json.loads(file.read())["verdict"])
        if not (withheld := _newest(f"{folder}/{_NOT_SERVED}")):
            return verdict
        with tf.io.gfile.GFile(withheld) as file:
            return with_server_check(verdict, file.read())
    except (tf.errors.OpError, OSError, ValueError, KeyError, ValidationError):
        return None


def _newest(pattern: str) -> str | None:
    """Of the files: a task that was taken up again has left more than one."""
    import tensorflow as tf

    found = tf.io.gfile.glob(pattern)
    return max(found, key=lambda file: tf.io.gfile.stat(file).mtime_nsec, default=None)
