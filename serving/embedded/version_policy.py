"""Chooses the versions of a model to serve."""

from __future__ import annotations

from collections.abc import Collection, Set
from typing import Any

from serving.embedded.statuses import invalid_argument


def check_policy(policy: Any, model: str) -> None:
    """Check a `ServableVersionPolicy`.

    Raises:
        Status: INVALID_ARGUMENT.
    """
    kind = policy.WhichOneof("policy_choice")
    if kind == "specific" and not policy.specific.versions:
        raise invalid_argument(f"Model {model}: model_version_policy.specific names no versions")


def choose(policy: Any, versions: Collection[int]) -> Set[int]:
    """Return the versions to serve.

    Args:
        policy: A `ServableVersionPolicy`: latest (1 by default), all, or specific.
        versions: The available versions.
    """
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return set(versions)
    if kind == "specific":
        return set(versions) & set(policy.specific.versions)
    count = policy.latest.num_versions or 1
    return set(sorted(versions)[-count:])
