"""Calls are answered whatever happens to the store, and nothing is lost unsaid."""

import errno
import random
import shutil
import sqlite3

import pytest

from serving.recorder import writer as module
from serving.recorder.backlog import Backlog
from serving.recorder.call import Call
from serving.recorder.counts import Counts
from serving.recorder.follow_ups import FollowUps, Shares, Upstream
from serving.recorder.writer import Writer
from tests.serving.recorder.recorders import answers, call, images, until
from traffic.database import TrafficError
from traffic.rows import Kept
from traffic.settings import Keeping
from traffic.store import TrafficStore

ALL = Keeping(random=1.0)


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Makes a writer of the folder `store`, and stops it at the end."""
    monkeypatch.setattr(module, "_RETRY_SECONDS", (0.05, 0.05))
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.02)
    writers = []

    def make(rules=ALL, most_calls=100, open_store=None):
        counts, draw = Counts(), random.Random(0)
        follow_ups = FollowUps(Upstream("localhost:1"), Shares(), counts, draw)
        backlog = Backlog(most_calls, 2**20)
        folder = tmp_path / "store"
        opened = open_store or (lambda: TrafficStore(folder, create=True))
        writers.append(Writer(backlog, opened, rules, follow_ups, counts))
        writers[-1].counts = counts
        return writers[-1]

    yield make
    for each in writers:
        each.stop(10)


def _count(writer, name, **labels):
    return writer.counts._registry.get_sample_value(f"siamese_recorder_{name}", labels) or 0


def test_answers_and_images_are_in_the_store(made, tmp_path):
    writer = made()
    writer.offer(call(b"one", b"two", id="a"))
    writer.offer(call(b"one", id="b"))
    writer.stop(10)
    store = tmp_path / "store"
    assert [each.request for each in answers(store)] == ["a.0", "a.1", "b.0"]
    assert [(each.kept, each.size) for each in images(store)] == [(Kept.RANDOM, 3)] * 2
    assert _count(writer, "recorded_total") == 3
    assert _count(writer, "images_kept_total", reason="random") == 2


def test_no_images(made, tmp_path):
    writer = made(Keeping(images=False, random=1.0))
    writer.offer(call(b"one", known=False))
    writer.stop(10)
    assert len(answers(tmp_path / "store")) == 1
    assert not (tmp_path / "store" / "images").exists()


def test_no_more_images_than_the_caps_allow(made, tmp_path):
    writer = made(Keeping(random=0.0, per_hour=2))
    writer.offer(call(*(b"%d" % i for i in range(5)), known=False))
    writer.stop(10)
    assert len(images(tmp_path / "store")) == 2
    assert _count(writer, "images_not_kept_total", reason="cap") == 3


def test_the_oldest_images_make_room(made, tmp_path):
    writer = made(Keeping(random=1.0, max_megabytes=1))
    for i in range(3):
        writer.offer(call(bytes([i]) * 400_000, id=str(i), time=1000.0 + i))
        until(lambda: not len(writer._backlog))
    writer.stop(10)
    kept = images(tmp_path / "store")
    assert [each.time for each in kept] == [1001.0, 1002.0]
    assert _count(writer, "images_removed_total") == 1


def test_a_locked_store_is_written_when_it_is_free(made, tmp_path, monkeypatch):
    monkeypatch.setattr("traffic.database._BUSY_SECONDS", 0.01)
    monkeypatch.setattr(module, "_RETRY_SECONDS", (0.1,) * 100)
    TrafficStore(tmp_path / "store", create=True).close()
    other = sqlite3.connect(tmp_path / "store/traffic.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    writer = made()
    writer.offer(call(b"one"))
    assert "locked" in until(lambda: writer.trouble)
    other.execute("ROLLBACK")
    until(lambda: _count(writer, "recorded_total"))
    assert writer.trouble == ""
    assert len(answers(tmp_path / "store")) == 1
    assert len(images(tmp_path / "store")) == 1


def test_a_store_that_stays_locked_is_given_up_and_counted(made, tmp_path, monkeypatch):
    monkeypatch.setattr("traffic.database._BUSY_SECONDS", 0.01)
    TrafficStore(tmp_path / "store", create=True).close()
    other = sqlite3.connect(tmp_path / "store/traffic.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    writer = made()
    writer.offer(call(b"one", b"two"))
    until(lambda: _count(writer, "dropped_total", reason="store"))
    other.close()
    writer.offer(call(b"three", id="d"))
    writer.stop(10)
    assert [each.request for each in answers(tmp_path / "store")] == ["d.0"]
    assert _count(writer, "dropped_total", reason="store") == 1  # one call of two images


def test_without_room_for_images_answers_are_recorded(made, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    writer = made()
    writer.offer(call(b"one"))
    assert "No space left" in until(lambda: writer.trouble)
    writer.stop(10)
    assert len(answers(tmp_path / "store")) == 1
    assert images(tmp_path / "store") == []
    assert _count(writer, "images_not_kept_total", reason="disk") == 1


def test_a_full_disk_is_said_and_counted_once_a_minute(made, tmp_path, monkeypatch, caplog):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(TrafficStore, "add_answers", full)
    writer = made()
    for i in range(3):
        writer.offer(call(b"one", id=str(i)))
        until(lambda i=i: _count(writer, "dropped_total", reason="store") == i + 1)
    assert "database or disk is full" in writer.trouble
    assert len(caplog.messages) == 1
    assert "Calls are answered, but not all is recorded" in caplog.messages[0]
    assert caplog.messages[0].endswith("; the traffic store: database or disk is full")


def test_a_store_that_is_removed_is_made_again(made, tmp_path):
    writer = made()
    writer.offer(call(b"one", id="a"))
    until(lambda: _count(writer, "recorded_total") == 1)
    shutil.rmtree(tmp_path / "store")
    for i in range(20):  # SQLite may write to the removed file for a while
        writer.offer(call(b"two", id=f"b{i}"))
        until(lambda: not len(writer._backlog))
    writer.stop(10)
    assert _count(writer, "dropped_total", reason="failed") == 0


def test_a_newer_store_is_left_alone(made):
    def newer():
        raise TrafficError("was written by a newer siamese-tfx")

    writer = made(open_store=newer)
    writer.start()
    assert "newer" in until(lambda: writer.trouble)
    writer.offer(call(b"one"))
    until(lambda: _count(writer, "dropped_total", reason="store"))


def test_more_calls_than_there_is_room_for_are_counted(made):
    writer = made(most_calls=2)
    writer.start = lambda: None  # nobody takes them
    for _ in range(5):
        writer.offer(call(b"one"))
    assert _count(writer, "dropped_total", reason="backlog_full") == 3
    del writer.start


def test_a_writer_that_died_is_started_again(made, tmp_path, monkeypatch):
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    writer = made()
    record, dying = writer._record, [True]

    def die(calls):
        if calls and dying.pop() if dying else False:
            raise SystemExit
        record(calls)

    writer._record = die
    writer.offer(call(b"one", id="a"))
    until(lambda: not writer._thread.is_alive())
    assert _count(writer, "dropped_total", reason="failed") == 1
    writer.offer(call(b"two", id="b"))
    until(lambda: _count(writer, "recorded_total"))
    assert _count(writer, "writer_restarts_total") == 1
    writer.stop(10)
    assert [each.request for each in answers(tmp_path / "store")] == ["b.0"]


@pytest.mark.parametrize("response", [b"", b"\xff\xff"])
def test_an_answer_that_cannot_be_read_does_not_stop_the_others(made, tmp_path, response):
    writer = made()
    writer.offer(Call("a", 0.0, call(b"one").request, response))
    writer.offer(call(b"two", id="b"))
    writer.stop(10)
    assert [each.request for each in answers(tmp_path / "store")] == ["b.0"]
    assert _count(writer, "dropped_total", reason="unreadable") == 1


def test_old_answers_are_removed(made, tmp_path):
    with TrafficStore(tmp_path / "store", create=True):
        pass
    writer = made(Keeping(answer_days=1))
    writer.offer(call(b"one", time=1.0))
    writer.stop(10)
    again = made(Keeping(answer_days=1))
    again.start()
    again.stop(10)
    assert answers(tmp_path / "store") == []
