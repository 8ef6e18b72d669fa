"""Models' views of made-up test images, and judgements on them, for tests."""

import numpy as np

from judging.classifier import Support
from judging.judge import judge
from judging.settings import JudgeSettings, Thresholds
from judging.views import HeldOutImages, View


def clouds(classes, each, spread, seed, first=0):
    """Points around directions of their own, and their labels."""
    rng = np.random.default_rng(seed)
    points = np.repeat(np.eye(12)[first : first + classes], each, axis=0)
    labels = np.repeat([f"c{first + i}" for i in range(classes)], each)
    return (points + rng.normal(scale=spread, size=points.shape)).astype("float32"), labels


def similarity(left, right):
    return np.exp(-np.linalg.norm(left - right, axis=1))


def support_set(classes, each=8, spread=0.3, seed=100):
    points, labels = clouds(classes, each, spread, seed)
    return Support(points, labels, np.array([f"{x}/s{i}.png" for i, x in enumerate(labels)]))


def held_out(classes=4, each=10, spread=0.3, seed=0, first=0, unknown=0, **view):
    """Test images, and a view of them by a model with a support set of the same classes."""
    points, labels = clouds(classes, each, spread, seed, first)
    ids = np.array([f"{i:04d}" for i in range(len(labels))])
    sources = np.char.add(np.char.add(labels, "/"), ids)
    images = HeldOutImages(ids, labels, sources, np.arange(len(ids)))
    unknown, _ = clouds(1, unknown, spread, seed + 1, first=10)
    values = {
        "model": "the candidate",
        "embeddings": points,
        "unknown": unknown,
        "support": support_set(classes),
        "similarity": similarity,
        "same": 0.3,
        "known": 0.5,
    }
    return images, View(**{**values, **view})


def judged(images, candidate, compared=None, raw=None, asked=None, **more):
    """The candidate's judgement, by the default settings."""
    thresholds = asked or Thresholds()
    return judge(images, candidate, compared or {}, raw, thresholds, JudgeSettings(), **more)
