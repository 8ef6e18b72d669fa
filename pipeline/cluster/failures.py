"""Explains the log of a failed task."""

from __future__ import annotations

import re

from pipeline.cluster.task import FAILED

_OURS = (
    "pipeline",
    "components",
    "trainer",
    "serving",
    "judging",
    "records",
    "images",
    "storage",
    "base",
)
_MISSING = re.compile(r"No module named '?([\w.]+)'?|Error while finding module specification")
_KNOWN = (
    (
        re.compile(r"File system scheme '(\w+)' not implemented"),
        "the image cannot read {0}:// URIs; use gs:// or s3://, see docs/storage.md",
    ),
    (
        re.compile(r"mkdir .*: not a directory"),
        "Kubeflow's launcher mistook an empty object of the bucket for a file; see 'not a "
        "directory' in docs/kubeflow.md",
    ),
    (
        re.compile(r"OOMKilled|exit(?:ed with)? code 137"),
        "the pod ran out of memory; increase kubeflow.components.<component>.memory_gb",
    ),
    (
        re.compile(r"Insufficient (\S+)|didn't match Pod's node affinity/selector"),
        "no node can run the pod; see 'GPU not scheduled' in docs/kubeflow.md",
    ),
    (
        re.compile(r"ImagePullBackOff|ErrImagePull"),
        "the cluster cannot pull the image; check kubeflow.image and, for a private registry, "
        "kubeflow.image_pull_secrets",
    ),
    (
        re.compile(r"received message larger than max|ResourceExhausted|Request entity too large"),
        "a message is too large; see '4 MB' in docs/kubeflow.md",
    ),
)


def explain_log(log: str, image: str | None = None) -> str | None:
    """Return why a task failed and how to fix it; None for an unknown error.

    Args:
        log: The task's output, or the message of the cluster.
        image: The task's container image.
    """
    if FAILED in log:
        message = log.rpartition(FAILED)[2].strip()
        return _missing_package(message, image) or message
    if reason := _missing_package(log, image):
        return reason
    for pattern, explanation in _KNOWN:
        if found := pattern.search(log):
            return explanation.format(*found.groups())
    return None


def _missing_package(log: str, image: str | None) -> str | None:
    found = _MISSING.search(log)
    if not found:
        return None
    module = found.group(1) or _OURS[0]
    which = f"the image {image}" if image else "the image"
    if module.split(".")[0] in _OURS:
        return (
            f"{which} has no module '{module}': this project is not installed in it. Build the "
            "image as in docs/kubeflow.md, and name it as kubeflow.image"
        )
    return f"{which} has no module '{module}'; it was built for another version of this project"
