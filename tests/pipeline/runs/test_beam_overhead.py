import apache_beam as beam
import pytest
from apache_beam.coders import VarIntCoder
from apache_beam.transforms import userstate

from pipeline.runs import beam_overhead

COUNT = userstate.CombiningValueStateSpec("count", VarIntCoder(), sum)
STATE = beam.DoFn.StateParam(COUNT)


class Plain(beam.DoFn):
    def process(self, element):
        yield element


class Counting(beam.DoFn):
    def process(self, element, count=STATE):
        count.add(1)


class Holder:
    def count(self, element, count=STATE):
        count.add(1)

    def double(self, element):
        return [2 * element]


@pytest.fixture(autouse=True)
def inspected(monkeypatch):
    """Calls of Beam's own inspection."""
    calls = []
    original = getattr(userstate.get_dofn_specs, "__wrapped__", userstate.get_dofn_specs)
    monkeypatch.setattr(
        userstate, "get_dofn_specs", lambda dofn: calls.append(dofn) or original(dofn)
    )
    beam_overhead.inspect_each_class_once()
    return calls


def test_a_class_is_inspected_once(inspected):
    for _ in range(3):
        assert not userstate.is_stateful_dofn(Plain())
    assert len(inspected) == 1
    beam_overhead.inspect_each_class_once()  # again, as each run in a process does
    assert not userstate.is_stateful_dofn(Plain())
    assert len(inspected) == 1


def test_state_is_found_as_before():
    for _ in range(2):
        assert userstate.get_dofn_specs(Counting()) == ({COUNT}, set())
        assert userstate.get_dofn_specs(Plain()) == (set(), set())


def test_functions_of_one_class_may_differ():
    """All functions of `beam.FlatMap` are of one class, which holds them."""
    double, count = (beam.FlatMap(each).fn for each in (Holder().double, Holder().count))
    assert type(double) is type(count)
    for _ in range(2):
        assert not userstate.is_stateful_dofn(double)
        assert userstate.is_stateful_dofn(count)
