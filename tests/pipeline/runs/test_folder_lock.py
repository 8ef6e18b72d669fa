import errno
import fcntl
import os
import subprocess
import sys

import pytest

from pipeline.runs import folder_lock
from pipeline.runs.folder_lock import FolderInUse, locked


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(folder_lock.fcntl, "flock", fail)
    refused = pytest.raises(OSError, match="cannot be locked: No locks available")
    with refused as caught, locked(tmp_path):
        pass
    assert caught.value.filename == str(tmp_path)


def test_a_process_that_inherits_it_holds_it_when_this_one_is_gone(tmp_path):
    with locked(tmp_path / "new") as lock:
        wait = [sys.executable, "-c", "input()"]
        child = subprocess.Popen(wait, stdin=subprocess.PIPE, pass_fds=[lock])
    with (
        pytest.raises(
            FolderInUse, match=r"new: another run is in progress \(process \d+ on .*, sin"
        ),
        locked(tmp_path / "new"),
    ):
        pass
    child.communicate(b"\n")
    with locked(tmp_path / "new"):
        pass


def test_a_process_that_only_asks_is_waited_for(tmp_path, monkeypatch):
    (tmp_path / folder_lock.FILE).touch()
    asking = os.open(tmp_path / folder_lock.FILE, os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    monkeypatch.setattr(folder_lock.time, "sleep", lambda _: fcntl.flock(asking, fcntl.LOCK_UN))
    with locked(tmp_path):
        pass
    os.close(asking)
