"""Enrolls a class of reviewed images in the served model, until it is trained on them."""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from base.errors import UserError
from pipeline.config.run_config import RunConfig
from records import training_keys
from storage.enrolled_images import read_enrolled_images
from storage.file_systems import is_remote
from traffic.rows import Decision
from traffic.store import TrafficStore

if TYPE_CHECKING:
    from serving.enroll import Check, Enrolled


class NothingToEnroll(UserError):
    """There are no reviewed images of the class that the model does not have."""


def reviewed_images(store: TrafficStore, model: Path) -> dict[str, list[str]]:
    """Return the digests of reviewed images that a model does not have, by class.

    Args:
        store: The reviewed images.
        model: The model's folder.
    """
    known = {one.key for one in read_enrolled_images(model)}
    found = defaultdict(list)
    for review in store.reviews(not_in_a_span=True):
        if review.decision is Decision.LABEL and training_keys.key(review.digest) not in known:
            found[review.label].append(review.digest)
    return dict(found)


def enroll_reviewed(
    config: RunConfig, store: TrafficStore, label: str, check: Check | None = None
) -> Enrolled:
    """Write the served model's next version, with the reviewed images of a class.

    A class that was enrolled before gets the images that were reviewed since. Needs TensorFlow.

    Args:
        config: Of the pipeline that pushed the model.
        store: The reviewed images.
        label: The class.
        check: As in `serving.enroll`.

    Raises:
        NothingToEnroll: There are none that the model lacks.
        EnrollError: The model was trained on the class, or no image is usable.
    """
    from serving.enroll import enroll
    from serving.next_version import version_folder

    if is_remote(config.serving_root):
        raise UserError(
            f"{config.serving_root}: is not on this machine; enroll a copy of the model and copy "
            "the new version back (docs/storage.md)"
        )
    model = version_folder(Path(config.serving_root))
    digests = reviewed_images(store, model).get(label)
    if not digests:
        raise NothingToEnroll(f"there are no reviewed images of '{label}' that {model} lacks")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / label
        folder.mkdir()
        for digest in digests:
            os.symlink(store.image_path(digest).absolute(), folder / digest[:16])
        extend = label in {one.label for one in read_enrolled_images(model)}
        return enroll(model, {label: folder}, extend=extend, check=check)
