import io
import re
import signal
import subprocess
import sys

import pytest
from processes import STAYS, ends, heed_signals, wait_until
from rich.console import Console

from pipeline import log_noise
from pipeline.runs.progress import Tracker, follow

LOG = """\
siamese plan: ImageExampleGen Trainer Pusher
I1125 12:00:00 beam_dag_runner.py:89] node ImageExampleGen is running.
INFO:absl:A cached execution 3 is used.
I1125 12:00:00 beam_dag_runner.py:91] node ImageExampleGen is finished.
2026-01-01 00:00:00,123 INFO absl: Component Trainer is running.
epoch 1/2: auc 0.9 (1.0 s)
"""


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=80)


def printed(console):
    return console.file.getvalue()


def child(code):
    return [sys.executable, "-u", "-c", code]


def test_a_line_for_each_event(console):
    tracker = Tracker(console)
    for line in LOG.splitlines():
        tracker.read(line)
    assert tracker.running == "Trainer"
    tracker.fail()
    lines = printed(console).splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines)
    assert lines[0][9:].startswith("ImageExampleGen: cached (")
    assert lines[1][9:] == "  epoch 1/2: auc 0.9 (1.0 s)"
    assert lines[2][9:].startswith("Trainer: failed (")


def test_findings_about_the_images_are_printed(console):
    Tracker(console).read("siamese finding: warning: 2 images are blank (a/1.png)")
    assert printed(console) == "  warning: 2 images are blank (a/1.png)\n"


def test_verbose_prints_the_log_too(console, monkeypatch):
    monkeypatch.setattr(log_noise, "verbose", True)
    Tracker(console).read("INFO:absl:[any] line")
    assert printed(console) == "INFO:absl:[any] line\n"


def test_a_table_on_a_terminal():
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    tracker = Tracker(console)
    for line in LOG.splitlines():
        tracker.read(line)
    console.print(tracker)
    text = printed(console)
    assert "cached" in text
    assert "epoch 1/2" in text
    assert "Pusher" in text


def test_follows_a_process_to_its_end(console, tmp_path):
    log = tmp_path / "log.txt"
    assert follow(child(f"print({LOG!r}, end='')"), log, console) == (0, "Trainer")
    assert log.read_text() == LOG
    assert "ImageExampleGen: cached" in printed(console)


def test_names_the_component_that_failed(console, tmp_path):
    code = f"import sys; print({LOG!r}); print('why', file=sys.stderr); sys.exit(7)"
    assert follow(child(code), tmp_path / "log.txt", console) == (7, "Trainer")
    assert "Trainer: failed" in printed(console)
    assert "why" in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_ends_the_process_and_its_children(tmp_path, sign):
    """In a process of its own: it is this one that gets the signal."""
    pipeline = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {STAYS!r}, 'alive'])"
    command = (
        "import sys; from pathlib import Path; from rich.console import Console\n"
        "from pipeline.runs.progress import follow\n"
        f"try: follow([sys.executable, '-c', {pipeline!r}], Path('log.txt'), Console())\n"
        "except KeyboardInterrupt: sys.exit(5)"
    )
    process = subprocess.Popen(child(command), cwd=tmp_path, preexec_fn=heed_signals)
    wait_until((tmp_path / "alive").exists)
    process.send_signal(sign)
    assert process.wait(30) == 5
    assert ends(int((tmp_path / "alive").read_text()))


def test_a_process_that_was_killed_alone_leaves_nothing(console, tmp_path):
    stays = str(tmp_path / "stays")
    code = (
        "import os, pathlib, signal, subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {STAYS!r}, {stays!r}])\n"
        f"while not pathlib.Path({stays!r}).exists(): time.sleep(0.05)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert follow(child(code), tmp_path / "log.txt", console) == (-9, None)
    assert ends(int((tmp_path / "stays").read_text()))


def test_a_file_descriptor_is_handed_on(console, tmp_path):
    with (tmp_path / "open").open("w") as file:
        write = child(f"import os; os.write({file.fileno()}, b'x')")
        assert follow(write, tmp_path / "log.txt", console, [file.fileno()]) == (0, None)
    assert (tmp_path / "open").read_text() == "x"
