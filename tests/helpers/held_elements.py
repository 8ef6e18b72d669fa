"""What single places hold while a Beam pipeline runs.

A worker may have to hold what one step sees at once: the values of one key, a side input, a
combined value. The rest streams through it.
"""

import pickle

import apache_beam as beam
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.pipeline import PipelineVisitor

_NAMESPACE = "held"


def watch(pipeline):
    """Measure what is held; call it when the pipeline is built."""
    finder = _Finder()
    pipeline.visit(finder)
    for number, (label, collection, measure) in enumerate(finder.found):
        _ = collection | f"Watch {number}" >> beam.ParDo(_Watch(label, measure))


def held(result):
    """Of each step the most bytes (pickled) that it holds in one place, by its label."""
    found = result.metrics().query(MetricsFilter().with_namespace(_NAMESPACE))
    most = {one.key.metric.name: one.committed.max for one in found["distributions"]}
    return most | {one.key.metric.name: one.committed for one in found["counters"]}


class _Finder(PipelineVisitor):
    def __init__(self):
        self.found = []

    def enter_composite_transform(self, applied):
        if isinstance(applied.transform, beam.CombinePerKey):
            self.found.append((f"{applied.full_label} (combined)", applied.outputs[None], _one))

    def visit_transform(self, applied):
        # Beam combines before it groups, so a list of what is to be combined is never made.
        to_combine = isinstance(applied.parent.transform, beam.CombinePerKey)
        if isinstance(applied.transform, beam.GroupByKey) and not to_combine:
            self.found.append((f"{applied.full_label} (values)", applied.outputs[None], _values))
        for side_input in applied.side_inputs:
            label = f"{applied.full_label} (side input {side_input.pvalue.producer.full_label})"
            self.found.append((label, side_input.pvalue, _all))


class _Watch(beam.DoFn):
    def __init__(self, label, measure):
        self._label, self._measure = label, measure

    def process(self, element):
        self._measure(self._label, element)


def _one(label, element):
    Metrics.distribution(_NAMESPACE, label).update(_size(element[1]))


def _values(label, element):
    Metrics.distribution(_NAMESPACE, label).update(sum(map(_size, element[1])))


def _all(label, element):
    Metrics.counter(_NAMESPACE, label).inc(_size(element))


def _size(value):
    return len(pickle.dumps(value))
