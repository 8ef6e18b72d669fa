"""The deadline of a request, and whether its client still waits."""

from __future__ import annotations

import time
from collections.abc import Callable

from serving.embedded.statuses import deadline_exceeded

_A_YEAR = 365 * 24 * 3600.0


class Deadline:
    """When a request's answer is no longer needed.

    Args:
        seconds: From now; None for no limit.
        abandoned: Tells whether the client has gone.
    """

    def __init__(
        self, seconds: float | None = None, abandoned: Callable[[], bool] = lambda: False
    ) -> None:
        # Without a deadline gRPC gives one in the far future, too far for a lock's timeout.
        if seconds is not None and seconds > _A_YEAR:
            seconds = None
        self._at = None if seconds is None else time.monotonic() + seconds
        self._abandoned = abandoned

    @property
    def remaining(self) -> float | None:
        """Remaining seconds, at least 0; None without a limit."""
        return None if self._at is None else max(0.0, self._at - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether the answer is no longer needed."""
        return self.remaining == 0 or self._abandoned()

    def check(self) -> None:
        """Stop a request whose answer is no longer needed.

        Raises:
            Status: DEADLINE_EXCEEDED.
        """
        if self.passed:
            raise deadline_exceeded()
