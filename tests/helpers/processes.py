"""Processes that tests start, and wait for."""

import signal
import time
from pathlib import Path

STAYS = """
import os, pathlib, sys, time
new = pathlib.Path(sys.argv[1] + ".new")
new.write_text(str(os.getpid()))
new.rename(sys.argv[1])  # whole, whenever it is read
time.sleep(60)
"""
"""The code of one that writes its number into the file that it is given, and stays."""


def heed_signals():
    """For `preexec_fn`: who runs the tests may ignore some, as `nohup` does, and so would it."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_DFL)


def wait_until(holds):
    deadline = time.monotonic() + 30
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)


def runs(pid):
    """Whether it does; one that has ended and that nobody has asked after does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid):
    """Whether it ends, now or soon."""
    wait_until(lambda: not runs(pid))
    return not runs(pid)
