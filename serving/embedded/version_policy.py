"""Which of a model's versions shall be served."""

from __future__ import annotations

from collections.abc import Collection, Set
from typing import Any

from serving.embedded.statuses import invalid_argument


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
