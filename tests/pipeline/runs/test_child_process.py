import os
import signal
import subprocess
import sys
import threading

import pytest
from processes import STAYS, ends, wait_until

from pipeline.runs import child_process
from pipeline.runs.child_process import stop, terminated_as_interrupted


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts(sign):
    def own(*_):
        """Else this process would end where the signal does not interrupt."""

    before = signal.signal(sign, own)
    try:
        with pytest.raises(KeyboardInterrupt), terminated_as_interrupted():
            signal.raise_signal(sign)
        assert signal.getsignal(sign) is own
    finally:
        signal.signal(sign, before)


def test_an_ignored_signal_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with terminated_as_interrupted():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_go_without():
    passed = []

    def within():
        with terminated_as_interrupted():
            passed.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=within)
    thread.start()
    thread.join()
    assert passed == [signal.getsignal(signal.SIGTERM)]


def start(folder, name, before="pass"):
    """A process that has started another; returns it, and the other's number."""
    code = f"{before}\n{STAYS}"
    starts = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}, {name!r}])"
    child = subprocess.Popen([sys.executable, "-c", starts], cwd=folder, start_new_session=True)
    wait_until((folder / name).exists)
    return child, int((folder / name).read_text())


def test_all_that_was_started_is_ended(tmp_path):
    one, of_one = start(tmp_path, "one")
    two, of_two = start(tmp_path, "two")
    stop(one, two)
    assert (one.returncode, two.returncode) == (-signal.SIGTERM, -signal.SIGTERM)
    assert ends(of_one)
    assert ends(of_two)


STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def test_what_does_not_listen_is_ended_in_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(child_process, "_GRACE_SECONDS", 0.2)
    child, other = start(tmp_path, "stubborn", STUBBORN)
    stop(child)
    assert ends(other)


def test_a_second_interrupt_does_not_wait(tmp_path, monkeypatch):
    child, other = start(tmp_path, "stubborn", STUBBORN)

    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(child_process.time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stop(child)
    monkeypatch.undo()
    assert ends(other)


def test_one_that_has_ended_is_left_alone():
    child = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    child.wait()
    stop(child)
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)
