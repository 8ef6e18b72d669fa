"""Calls that wait to be recorded: bounded, and never waited for by those that add to it."""

from __future__ import annotations

import threading
from collections import deque

from serving.recorder.call import Call


class Backlog:
    """A queue of calls; threads may share it.

    Args:
        most_calls: Calls that it holds.
        most_bytes: Bytes that these may take.
    """

    def __init__(self, most_calls: int, most_bytes: int) -> None:
        self._most_calls, self._most_bytes = most_calls, most_bytes
        self._calls: deque[Call] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def put(self, call: Call) -> bool:
        """Add a call; return whether there was room."""
        with self._lock:
            full = len(self._calls) >= self._most_calls
            if full or self._bytes + call.size > self._most_bytes:
                return False
            self._calls.append(call)
            self._bytes += call.size
            return True

    def take(self, most: int) -> list[Call]:
        """Remove and return the oldest calls."""
        with self._lock:
            taken = [self._calls.popleft() for _ in range(min(most, len(self._calls)))]
            self._bytes -= sum(call.size for call in taken)
            return taken

    def __len__(self) -> int:
        return len(self._calls)
