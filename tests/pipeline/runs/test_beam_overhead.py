import base64
import bz2
import logging
import traceback
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.coders import VarIntCoder
from apache_beam.internal import cloudpickle_pickler, dill_pickler, pickler
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import worker_handlers
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms import userstate
from tfx_bsl.coders import batch_util

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
    beam_overhead.reduce_overhead()
    return calls


def test_a_class_is_inspected_once(inspected):
    for _ in range(3):
        assert not userstate.is_stateful_dofn(Plain())
    assert len(inspected) == 1
    beam_overhead.reduce_overhead()  # again, as each run in a process does
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


@pytest.mark.parametrize("library", [cloudpickle_pickler, dill_pickler])
def test_functions_are_in_small_blocks_that_any_beam_reads(library):
    small = base64.b64decode(library.dumps("a function"))
    assert small.startswith(b"BZh1")  # the block's size, in 100 kB
    assert bz2.decompress(small)
    assert library.loads(base64.b64encode(bz2.compress(bz2.decompress(small), 9))) == "a function"


@pytest.mark.parametrize("library", [cloudpickle_pickler, dill_pickler])
def test_what_is_empty_is_pickled_once(library):
    for value in ((), {}):
        pickled = library.dumps(value)
        assert library.dumps(value) is pickled
        assert library.loads(pickled) == value
        assert type(library.loads(pickled)) is type(value)
    assert library.loads(library.dumps((1,))) == (1,)
    assert library.loads(library.dumps({}, use_zlib=True), use_zlib=True) == {}


def test_options_are_parsed_once_and_shared():
    options = PipelineOptions(["--direct_num_workers=3"])
    view = options.view_as(DirectOptions)
    assert options.view_as(DirectOptions) is view
    assert view.direct_num_workers == 3
    view.direct_num_workers = 4
    assert options.view_as(StandardOptions).view_as(DirectOptions).direct_num_workers == 4
    assert PipelineOptions([]).view_as(DirectOptions).direct_num_workers == 1


def test_the_log_level_is_set_where_it_changes(monkeypatch):
    log = logging.getLogger("dill")
    log.setLevel(logging.WARNING)
    monkeypatch.setattr(log, "setLevel", lambda level: pytest.fail(f"set to {level}"))
    assert pickler.loads(pickler.dumps("a function")) == "a function"


def test_side_inputs_are_read_without_a_cache():
    assert not worker_handlers.StateCache(1).is_cache_enabled()
    with beam.Pipeline() as pipeline:
        numbers = pipeline | beam.Create([1, 2, 3])
        found = numbers | "Found" >> beam.Map(
            lambda number, each, by_number, total: (number, sorted(each), by_number[number], total),
            beam.pvalue.AsIter(numbers),
            beam.pvalue.AsDict(numbers | beam.Map(lambda number: (number, 10 * number))),
            beam.pvalue.AsSingleton(numbers | beam.CombineGlobally(sum)),
        )
        assert_that(found, equal_to([(n, [1, 2, 3], 10 * n, 6) for n in (1, 2, 3)]))


class Remembering(beam.DoFn):
    pickled_by = []

    def __getstate__(self):
        callers = {Path(frame.filename).name for frame in traceback.extract_stack()}
        Remembering.pickled_by.append(callers)
        return {}

    def process(self, element, beside=()):
        yield from (element + each for each in beside)


def test_a_step_that_starts_does_not_pickle_its_function_again():
    Remembering.pickled_by.clear()
    with beam.Pipeline(options=PipelineOptions(["--runner=DirectRunner"])) as pipeline:
        beside = pipeline | "beside" >> beam.Create([10, 20])
        sums = (
            pipeline | beam.Create([1, 2]) | beam.ParDo(Remembering(), beam.pvalue.AsList(beside))
        )
        assert_that(sums, equal_to([11, 12, 21, 22]))
    assert Remembering.pickled_by  # with the pipeline
    assert not any("bundle_processor.py" in callers for callers in Remembering.pickled_by)


@pytest.mark.parametrize(
    ("count", "size", "batches"), [(50, 2**20, [20, 20, 10]), (600, 9, [256, 256, 88])]
)
def test_records_are_batched_by_their_size(count, size, batches):
    with beam.Pipeline() as pipeline:
        found = pipeline | beam.Create([bytes(size)] * count) | batch_util.BatchRecords(None, None)
        assert_that(found | beam.Map(len), equal_to(batches))
