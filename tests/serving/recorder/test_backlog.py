from serving.recorder.backlog import Backlog
from serving.recorder.call import Call


def _call(size):
    return Call("", 0.0, b"x" * size, b"")


def test_calls_come_in_their_order():
    backlog = Backlog(10, 100)
    calls = [_call(size) for size in (1, 2, 3)]
    assert all(backlog.put(each) for each in calls)
    assert backlog.take(2) == calls[:2]
    assert backlog.take(2) == calls[2:]
    assert backlog.take(2) == []


def test_neither_calls_nor_bytes_are_more_than_allowed():
    backlog = Backlog(2, 100)
    assert backlog.put(_call(90))
    assert not backlog.put(_call(20))
    assert backlog.put(_call(10))
    assert not backlog.put(_call(0))
    backlog.take(1)
    assert backlog.put(_call(90))
