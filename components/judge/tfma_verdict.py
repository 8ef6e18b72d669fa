"""The Evaluator's verdict: TFMA's thresholds that were missed."""

from __future__ import annotations

import tensorflow_model_analysis as tfma
from tfx import types

from judging.judgement import BY_TFMA, Check
from judging.number_text import number

_BLESSED = "blessed"


def tfma_checks(evaluation: types.Artifact, blessing: types.Artifact) -> list[Check]:
    """Return a check for each threshold that was missed; none if all hold or none is set.

    Args:
        evaluation: The Evaluator's `evaluation`.
        blessing: Its `blessing`, which has no outcome without thresholds.
    """
    if not blessing.has_custom_property(_BLESSED):
        return []
    if blessing.get_int_custom_property(_BLESSED) == 1:
        return []
    result = tfma.load_validation_result(evaluation.uri)
    failures = [
        Check(
            metric=failure.metric_key.name + BY_TFMA,
            required=_required(failure.metric_threshold),
            outcome="failed",
            note=f"it is {_number(failure.metric_value)}",
        )
        for validation in result.metric_validations_per_slice
        for failure in validation.failures
    ]
    return failures or [
        Check(
            metric="validation" + BY_TFMA,
            required="passed",
            outcome="failed",
            note="it failed; see the Evaluator's evaluation",
        )
    ]


def _required(threshold) -> str:
    value = threshold.value_threshold
    words = [
        f"{words} {getattr(value, name).value:g}"
        for name, words in (("lower_bound", "at least"), ("upper_bound", "at most"))
        if value.HasField(name)
    ]
    return " and ".join(words) or "another value"


def _number(value) -> str:
    return number(value.double_value.value) if value.HasField("double_value") else "no number"
