"""References and recorded answers of a made-up model, for tests of monitoring."""

import numpy as np

from judging.reference import Reference
from traffic.rows import Answer

CLASSES = np.array(["bent", "cut", "fine"])
_SIZE = 8


def reference(images=120, accuracy=0.95, seed=0, far=0):
    """A reference of a model that is correct about this share of the images.

    Args:
        far: How many images have scores below all others.
    """
    rng = np.random.default_rng(seed)
    labels, predicted, margins, embeddings = _images(rng, images, accuracy)
    scores = rng.normal(0.8, 0.05, images)
    scores[:far] = 0.1
    return Reference(
        labels, predicted, scores, margins, scores > 0.65, np.arange(images), embeddings
    )


def answers(images=200, accuracy=0.95, seed=1, far=0, moved=0.0, labels=None, **changes):
    """Answers about images like the reference's; `moved` shifts their embeddings."""
    rng = np.random.default_rng(seed)
    _, predicted, margins, embeddings = _images(rng, images, accuracy, labels)
    embeddings[:, -1] += moved
    scores = rng.normal(0.8, 0.05, images)
    scores[:far] = rng.uniform(0.0, 0.1, far)
    return [
        Answer(
            time=1000.0 + i,
            model="parts",
            version=3,
            label=str(predicted[i]),
            known=bool(scores[i] > 0.65),
            score=float(scores[i]),
            margin=float(margins[i]),
            embedding=embeddings[i],
            digest=f"{seed:032x}{i:032x}",
        )._replace(**changes)
        for i in range(images)
    ]


def _images(rng, count, accuracy, labels=None):
    """Labels, predictions, margins that tell how likely these are wrong, and embeddings."""
    labels = CLASSES[rng.integers(0, 3, count)] if labels is None else np.array(labels)
    margins = rng.uniform(0, 0.5, count)
    # Only the smallest margins can be wrong.
    wrong = margins < 0.5 * (1 - accuracy)
    places = np.searchsorted(CLASSES, labels)
    predicted = np.where(wrong, CLASSES[(places + 1) % 3], labels)
    embeddings = 4 * np.eye(_SIZE)[places] + rng.normal(size=(count, _SIZE))
    return labels, predicted, margins, embeddings.astype("float32")
