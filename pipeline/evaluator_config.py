"""What the Evaluator measures on held-out pairs, and what these must reach.

The Judge measures the same and more, with intervals, and has the last word.
"""

from __future__ import annotations

# TFMA 0.52 names most of these nowhere else.
from tensorflow_model_analysis.proto import config_pb2 as tfma

from judging.settings import AtLeast, Thresholds
from records import features

SIGNATURE = "evaluate"
SIMILARITY, SAME = "similarity", "same"
"""Its outputs."""


def eval_config(thresholds: Thresholds | None) -> tfma.EvalConfig:
    """TFMA's configuration: metrics of plain pairs, overall and for pairs with each class.

    Thresholds hold for the overall slice only: a class with a handful of images has too few pairs
    to be judged by a bare number.
    """
    # The ROC curve is of similarities; the others are of what the model makes of them by its own
    # threshold, a number too: 1 or 0.
    of_similarities = [
        _metric("AUC", thresholds, name="auc"),
        tfma.MetricConfig(class_name="ExampleCount"),
    ]
    of_verdicts = [
        _metric("BinaryAccuracy", thresholds, name="accuracy"),
        _metric("Precision", thresholds, name="precision"),
        _metric("Recall", thresholds, name="recall"),
    ]
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                label_key=features.TARGET, signature_name=SIGNATURE, model_type="tf_generic"
            )
        ],
        slicing_specs=[
            tfma.SlicingSpec(),
            tfma.SlicingSpec(feature_keys=[features.LABEL]),
        ],
        metrics_specs=[
            tfma.MetricsSpec(metrics=of_similarities, output_names=[SIMILARITY]),
            tfma.MetricsSpec(metrics=of_verdicts, output_names=[SAME]),
        ],
    )


def _metric(class_name: str, thresholds: Thresholds | None, name: str) -> tfma.MetricConfig:
    metric = tfma.MetricConfig(class_name=class_name, config=f'{{"name": "{name}"}}')
    least: AtLeast | None = getattr(thresholds, name) if thresholds else None
    if least is not None:
        threshold = tfma.MetricThreshold()
        threshold.value_threshold.lower_bound.value = least.at_least
        # `MetricConfig.threshold` would apply to every slice.
        metric.per_slice_thresholds.append(
            tfma.PerSliceMetricThreshold(slicing_specs=[tfma.SlicingSpec()], threshold=threshold)
        )
    return metric
