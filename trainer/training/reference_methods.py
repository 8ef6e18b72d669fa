"""Few-shot accuracy of methods without training, on the same images: what training has to beat."""

from __future__ import annotations

import json
import os
from pathlib import Path

import keras
import numpy as np

from judging.classifier import few_shot_accuracy, nearest_neighbour
from trainer.training.embedder import in_batches
from trainer.training.images import Images
from trainer.training.snapshot import pooled_features, save_snapshot


def reference_methods(
    folder: Path, backbone: keras.Model, support: Images, query: Images
) -> dict[str, float]:
    """Return accuracies by method; the first call also saves a snapshot of the backbone.

    Args:
        folder: Keeps both for a training that is resumed.
        backbone: Before training, if `folder` is new.
        support: Training images.
        query: Validation images.
    """
    record = folder / "reference_methods.json"
    if record.is_file():
        return json.loads(record.read_text(encoding="utf-8"))
    embed = in_batches(pooled_features(backbone))
    features = embed(support.pixels)
    accuracies = {
        "raw pixels, nearest neighbour": raw_pixel_accuracy(support, query),
        # SimpleShot on the backbone's pooled features.
        "pretrained encoder, nearest centroid": few_shot_accuracy(
            features, support.labels, embed(query.pixels), query.labels
        ),
    }
    save_snapshot(backbone, features, folder)
    unfinished = record.with_suffix(".tmp")
    unfinished.write_text(json.dumps(accuracies), encoding="utf-8")
    os.replace(unfinished, record)
    return accuracies


def raw_pixel_accuracy(support: Images, query: Images) -> float:
    """Return the share of queries whose nearest support image by raw pixels is of their class.

    NaN if there is no query, or one of a class that the support set lacks.
    """
    if not set(query.labels) <= set(support.labels) or not len(query.labels):
        return float("nan")
    flat = [images.pixels.reshape(len(images.pixels), -1) for images in (support, query)]
    return float(np.mean(nearest_neighbour(flat[0], support.labels, flat[1]) == query.labels))
