"""The verdict of a run on a cluster, from the files that its tasks leave.

Kubeflow's API tells of tasks, not of verdicts.
"""

from __future__ import annotations

import json
from pathlib import Path

from judging.judgement import Judgement, Verdict
from pipeline import log_noise
from pipeline.gate.verdict import with_server_check
from storage.file_systems import is_remote, load_plugins

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
    try:
        judgement = _newest(folder, _JUDGEMENT)
        if judgement is None:
            return None
        verdict = Verdict.model_validate(json.loads(judgement)["verdict"])
        withheld = _newest(folder, _NOT_SERVED)
    except (OSError, ValueError, KeyError):
        return None
    if withheld is None:
        return verdict
    return with_server_check(verdict, withheld or "InfraCheck does not say why")


def _newest(folder: str, pattern: str) -> str | None:
    """What the file says; the newest, since a task that was taken up again has left more than one.

    Raises:
        OSError: It cannot be read.
    """
    if not is_remote(folder):  # without TensorFlow's slow import
        here = sorted(Path(folder).glob(pattern), key=lambda file: file.stat().st_mtime_ns)
        return here[-1].read_text("utf-8") if here else None
    log_noise.quiet()
    load_plugins(folder)
    import tensorflow as tf

    try:
        there = tf.io.gfile.glob(f"{folder}/{pattern}")
        if not there:
            return None
        newest = max(there, key=lambda file: tf.io.gfile.stat(file).mtime_nsec)
        with tf.io.gfile.GFile(newest) as file:
            return file.read()
    except tf.errors.OpError as e:
        raise OSError(str(e)) from e
