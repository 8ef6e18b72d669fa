"""The deadline of a request."""

from __future__ import annotations

import math
import time

import grpc

from serving.embedded.statuses import Status

_A_YEAR = 365 * 24 * 3600.0


class Deadline:
    """When a request's answer is no longer needed.

    Args:
        seconds: From now; None for no limit.
    """

    def __init__(self, seconds: float | None = None) -> None:
        # Without a deadline gRPC gives one in the far future, too far for a lock's timeout.
        limited = seconds is not None and seconds < _A_YEAR
        self._at = time.monotonic() + seconds if limited and seconds is not None else math.inf

    @property
    def remaining(self) -> float | None:
        """Remaining seconds, at least 0; None without a limit."""
        return None if self._at == math.inf else max(0.0, self._at - time.monotonic())

    @property
    def timeout_in_ms(self) -> int:
        """The remaining time as TensorFlow's RunOptions have it: 0 without a limit, else positive.

        Raises:
            Status: DEADLINE_EXCEEDED.
        """
        seconds = self.remaining
        if seconds is None:
            return 0
        if seconds == 0:
            raise deadline_exceeded()
        return math.ceil(seconds * 1000)

    def __lt__(self, other: Deadline) -> bool:
        return self._at < other._at


def deadline_exceeded() -> Status:
    """The client no longer waits for the answer."""
    return Status(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline exceeded before the model was run.")
