"""Carries the enrolled classes of the served model over into the model that will replace it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from base.errors import DataError
from images.canonical import UnusableImage, canonical_image
from storage.enrolled_images import EnrolledImage, served_enrolled_images
from trainer.export.signatures import ServedModel

_BATCH = 8


def images_to_carry_over(served: str, max_pixels: int) -> list[EnrolledImage]:
    """Return the enrolled images of the served model that a new model can use.

    Args:
        served: Base path of the served model, of which the newest version counts; may be empty.
        max_pixels: Height times width of the largest image that the new model decodes.

    Raises:
        DataError: The new model can use no image of an enrolled class.
    """
    enrolled = served_enrolled_images(served) if served else []
    usable = [one for one in enrolled if _is_usable(one.image, max_pixels)]
    if lost := sorted({one.label for one in enrolled} - {one.label for one in usable}):
        raise DataError(
            f"{served}: the served model has the enrolled class {lost[0]!r}, whose images all have "
            f"more than data.max_pixels ({max_pixels}) pixels; allow more, remove the class "
            f"(siamese enroll --remove {lost[0]!r}), or set push.enrolled to drop"
        )
    return usable


def carry_over(model: ServedModel, enrolled: Sequence[EnrolledImage]) -> dict[str, dict[str, int]]:
    """Add the enrolled classes that a new model lacks to its support set.

    Of a class that the training data has, the training data alone counts. The thresholds stay as
    they were calibrated, as when a class is enrolled.

    Args:
        model: The new model, which embeds the images anew.
        enrolled: From `images_to_carry_over`.

    Returns:
        Enrolled images by class, of classes "carried over" and of those "in the training data".
    """
    support = model.support
    trained = {label.decode() for label in support.labels.numpy()}
    added = [one for one in enrolled if one.label not in trained]
    if added:
        _add(model, added)
    return {
        "carried over": Counter(one.label for one in added),
        "in the training data": Counter(one.label for one in enrolled if one.label in trained),
    }


def _add(model: ServedModel, added: Sequence[EnrolledImage]) -> None:
    support = model.support
    batches = [added[start : start + _BATCH] for start in range(0, len(added), _BATCH)]
    embeddings = np.concatenate(
        [model.embed(tf.constant([one.image for one in batch]))["embedding"] for batch in batches]
    )
    labels = [*support.labels.numpy(), *(one.label.encode() for one in added)]
    sources = [*support.sources.numpy(), *(one.source.encode() for one in added)]
    # By class, as the support set was: it decides which of two equal scores comes first.
    order = sorted(range(len(labels)), key=lambda i: labels[i].decode())
    support.replace(
        tf.constant(np.concatenate([support.embeddings.numpy(), embeddings])[order]),
        tf.constant([labels[i] for i in order]),
        tf.constant([sources[i] for i in order]),
    )
    keys = {*model.training_keys.numpy().tolist(), *(one.key for one in added)}
    model.training_keys.assign(sorted(keys))


def _is_usable(image: bytes, max_pixels: int) -> bool:
    try:
        canonical_image(image, max_pixels)
    except UnusableImage:
        return False
    return True
