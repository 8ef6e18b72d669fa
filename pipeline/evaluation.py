"""What the Evaluator measures on held-out pairs, and what blesses a model."""

from __future__ import annotations

# TFMA 0.52 names most of these nowhere else.
from tensorflow_model_analysis.proto import config_pb2 as tfma

from components import features
from pipeline.config import Thresholds

SIGNATURE = "evaluate"


def eval_config(thresholds: Thresholds) -> tfma.EvalConfig:
    """TFMA's configuration: metrics of plain pairs, overall and for pairs with each class.

    Thresholds hold for the overall slice only: a class with a handful of images has too few pairs
    to be judged by a bare number.
    """
    metrics = [
        _metric("AUC", _least(thresholds.auc, thresholds.max_auc_drop), name="auc"),
        _metric("BinaryAccuracy", _least(thresholds.accuracy), name="accuracy"),
        _metric("Precision", _least(thresholds.precision), name="precision"),
        _metric("Recall", _least(thresholds.recall), name="recall"),
        tfma.MetricConfig(class_name="ExampleCount"),
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
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
    )


def _metric(
    class_name: str, threshold: tfma.MetricThreshold | None, name: str
) -> tfma.MetricConfig:
    metric = tfma.MetricConfig(class_name=class_name, config=f'{{"name": "{name}"}}')
    if threshold is not None:
        # `MetricConfig.threshold` would apply to every slice.
        metric.per_slice_thresholds.append(
            tfma.PerSliceMetricThreshold(slicing_specs=[tfma.SlicingSpec()], threshold=threshold)
        )
    return metric


def _least(lower_bound: float | None, max_drop: float | None = None) -> tfma.MetricThreshold | None:
    if lower_bound is None and max_drop is None:
        return None
    threshold = tfma.MetricThreshold()
    if lower_bound is not None:
        threshold.value_threshold.lower_bound.value = lower_bound
    if max_drop is not None:
        threshold.change_threshold.direction = tfma.MetricDirection.HIGHER_IS_BETTER
        threshold.change_threshold.absolute.value = -max_drop
    return threshold
