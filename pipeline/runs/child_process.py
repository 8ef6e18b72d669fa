"""Ends the processes that a command has started when the command ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

_GRACE_SECONDS = 10
_POLL_SECONDS = 0.05


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM, and SIGHUP of a closed terminal, raise KeyboardInterrupt as Ctrl-C does.

    Ignored signals stay ignored, for `nohup`. Outside of the main thread, which alone gets signals,
    nothing changes.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {sign: signal.getsignal(sign) for sign in (signal.SIGTERM, signal.SIGHUP)}
    ours = {sign: was for sign, was in before.items() if was is not signal.SIG_IGN}
    for sign in ours:
        signal.signal(sign, interrupt)
    try:
        yield
    finally:
        for sign, was in ours.items():
            signal.signal(sign, was)


def stop(*children: subprocess.Popen) -> None:
    """End processes and their descendants: by SIGTERM, after 10 s by SIGKILL.

    Args:
        children: Each in a session of its own (`start_new_session`).

    Raises:
        KeyboardInterrupt: Another interrupt, which has ended them at once.
    """
    deadline = time.monotonic() + _GRACE_SECONDS
    try:
        for child in children:
            _signal(child, signal.SIGTERM)
        while any([_runs(child) for child in children]) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    finally:
        for child in children:
            _signal(child, signal.SIGKILL)
        for child in children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_GRACE_SECONDS)


def _runs(child: subprocess.Popen) -> bool:
    """Return whether a process or a descendant is alive."""
    child.poll()  # else it would stay in its group after its end
    return _signal(child, 0)


def _signal(child: subprocess.Popen, sign: int) -> bool:
    """Send a signal to a process group; return whether it has a process."""
    try:
        os.killpg(child.pid, sign)
    except (ProcessLookupError, PermissionError):
        return False
    return True
