"""Names of the metrics for people; the keys are those of `settings.METRICS`."""

from __future__ import annotations

NAMES = {
    "class_accuracy": "Accuracy of the classes",
    "worst_class_recall": "Recall of the worst class",
    "auc": "AUC of the pairs",
    "accuracy": "Accuracy of the pairs",
    "precision": "Precision of the pairs",
    "recall": "Recall of the pairs",
    "equal_error_rate": "Equal error rate of the pairs",
    "episode_accuracy": "Few-shot accuracy",
    "open_set_auc": "AUC, known or unknown",
    "open_set_accuracy": "Accuracy, known or unknown",
}


def metric_name(metric: str) -> str:
    """Return a metric's name, also of a check such as `auc against the last blessed model`."""
    key, space, rest = metric.partition(" ")
    return NAMES.get(key, key) + space + rest
