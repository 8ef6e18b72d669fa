"""What a failed task's log says, in words for people."""

from __future__ import annotations

import re

from pipeline.cluster.task import FAILED

_OURS = ("pipeline", "components", "trainer", "serving")
_MISSING = re.compile(r"No module named '?([\w.]+)'?|Error while finding module specification")
_KNOWN = (
    (
        re.compile(r"File system scheme '(\w+)' not implemented"),
        "the image reads no addresses such as {0}://; install the plug-in in it (s3: "
        "tensorflow-io), see docs/kubeflow.md",
    ),
    (
        re.compile(r"mkdir .*: not a directory"),
        "Kubeflow's launcher took an empty object of the bucket for a file; see 'not a directory' "
        "in docs/kubeflow.md",
    ),
    (
        re.compile(r"OOMKilled|exit(?:ed with)? code 137"),
        "its pod ran out of memory; raise kubeflow.components.<component>.memory_gb",
    ),
    (
        re.compile(r"Insufficient (\S+)|didn't match Pod's node affinity/selector"),
        "no node has room for its pod; see 'GPU not scheduled' in docs/kubeflow.md",
    ),
    (
        re.compile(r"ImagePullBackOff|ErrImagePull"),
        "the cluster cannot get the image; check kubeflow.image and who may read its registry",
    ),
    (
        re.compile(r"received message larger than max|ResourceExhausted|Request entity too large"),
        "a message was too large; see '4 MB' in docs/kubeflow.md",
    ),
)


def explain_log(log: str, image: str | None = None) -> str | None:
    """Why a task failed, and how to mend it; None if its log says nothing that is known here.

    Args:
        log: Its output, or what the backend says of it.
        image: Its container image.
    """
    if FAILED in log:
        told = log.rpartition(FAILED)[2].strip()
        return _missing_package(told, image) or told
    if reason := _missing_package(log, image):
        return reason
    for pattern, mend in _KNOWN:
        if found := pattern.search(log):
            return mend.format(*found.groups())
    return None


def _missing_package(log: str, image: str | None) -> str | None:
    """Whether the image lacks this project, or another package."""
    found = _MISSING.search(log)
    if not found:
        return None
    module = found.group(1) or _OURS[0]
    which = f"the image {image}" if image else "the image"
    if module.split(".")[0] in _OURS:
        return (
            f"{which} has no module '{module}': this project is not installed in it. Build it by "
            "docs/kubeflow.md, and name that image as kubeflow.image"
        )
    return f"{which} has no module '{module}'; it was built for another version of this project"
