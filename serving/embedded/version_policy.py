"""Which versions there are in a model's folder, and which of them shall be served."""

from __future__ import annotations

from collections.abc import Collection, Set
from typing import Any

import tensorflow as tf

from serving.embedded.statuses import invalid_argument

_MARKERS = ("saved_model.pb", "saved_model.pbtxt")
_LARGEST_VERSION = 2**63 - 1


def versions_in(base_path: str) -> dict[int, str]:
    """Find the complete versions in a folder.

    Args:
        base_path: Holds a folder named by a number for each version.

    Returns:
        The path of each version. One whose `saved_model.pb` isn't there yet is still being copied.

    Raises:
        tf.errors.OpError: The folder can't be read.
    """
    found = {}
    for name in tf.io.gfile.listdir(base_path):
        name = name.rstrip("/")  # as object stores list folders
        if not (name.isascii() and name.isdigit()) or int(name) > _LARGEST_VERSION:
            continue
        path = tf.io.gfile.join(base_path, name)
        if any(tf.io.gfile.exists(tf.io.gfile.join(path, marker)) for marker in _MARKERS):
            found[int(name)] = path
    return found


def check_policy(policy: Any, model: str) -> None:
    """See that a `ServableVersionPolicy` can be followed.

    Raises:
        Status: INVALID_ARGUMENT.
    """
    kind = policy.WhichOneof("policy_choice")
    if kind == "specific" and not policy.specific.versions:
        raise invalid_argument(f"Model {model}: model_version_policy.specific names no versions")


def choose(policy: Any, versions: Collection[int]) -> Set[int]:
    """The versions that shall be served.

    Args:
        policy: A `ServableVersionPolicy`: latest (1 by default), all, or specific.
        versions: Those that there are.
    """
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return set(versions)
    if kind == "specific":
        return set(versions) & set(policy.specific.versions)
    count = policy.latest.num_versions or 1
    return set(sorted(versions)[-count:])
