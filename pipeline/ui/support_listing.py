"""Prints a model's support set as JSON. A process of its own, since it loads TensorFlow.

python -m pipeline.ui.support_listing VERSION
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from base.printable import text_of
from judging.classifier import right_by_class


def listing(version: Path) -> dict[str, Any]:
    """Return what the variables of a SavedModel's folder say.

    Returns:
        `classes`, the support images' names by class; `right`, see `right_by_class`; and the
        model's `thresholds`, empty for models that were exported before they had any.
    """
    import tensorflow as tf

    variables = tf.train.load_checkpoint(str(version / "variables" / "variables"))

    def value(name: str) -> np.ndarray:
        return variables.get_tensor(f"{name}/.ATTRIBUTES/VARIABLE_VALUE")

    labels = np.array([label.decode() for label in value("support/labels")])
    names = [text_of(source) for source in value("support/sources")]
    classes: dict[str, list[str]] = defaultdict(list)
    for label, name in zip(labels.tolist(), names, strict=True):
        classes[label].append(name)
    try:
        thresholds = {one: float(value(f"threshold_variables/{one}")) for one in ("same", "known")}
    except tf.errors.NotFoundError:
        thresholds = {}
    right = right_by_class(value("support/embeddings"), labels)
    return {"classes": dict(classes), "right": right, "thresholds": thresholds}


if __name__ == "__main__":
    print(json.dumps(listing(Path(sys.argv[1]))))
