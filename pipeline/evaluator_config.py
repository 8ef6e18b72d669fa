"""The Evaluator's metrics and thresholds on the pairs of the test split.

The Judge measures the same and more, with intervals, and decides.
"""

from __future__ import annotations

# TFMA 0.52 names most of these nowhere else.
from tensorflow_model_analysis.proto import config_pb2 as tfma

from judging.settings import AtLeast, Thresholds
from records import features

SIGNATURE = "evaluate"
SIMILARITY, SAME = "similarity", "same"
"""Outputs of the signature."""


def eval_config(thresholds: Thresholds | None) -> tfma.EvalConfig:
    """Return TFMA's configuration: metrics of pairs, overall and for the pairs with each class.

    Thresholds apply to the overall slice only: a class with few images has too few pairs.
    """
    # The ROC curve needs similarities; the others use the model's prediction, 1 or 0.
    of_similarities = [
        _metric("AUC", thresholds, name="auc"),
        tfma.MetricConfig(class_name="ExampleCount"),
    ]
    of_predictions = [
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
            tfma.MetricsSpec(metrics=of_predictions, output_names=[SAME]),
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
