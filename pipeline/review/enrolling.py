"""Enrolls reviewed images of a class in the served model, until it is trained on them."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from base.errors import UserError
from base.printable import printable
from pipeline.config.run_config import RunConfig
from pipeline.runs.finished_run import NoVerdict, find_judged_run
from pipeline.runs.run_folders import NoSuchRun
from records import training_keys
from storage.enrolled_images import read_enrolled_images
from storage.file_systems import is_remote
from storage.lineage import read_lineage
from storage.spans import SPAN, SpanRecord, spans
from traffic.rows import Decision, Kept
from traffic.store import TrafficStore

if TYPE_CHECKING:
    from serving.enroll import Check, Enrolled


class NothingToEnroll(UserError):
    """There are no reviewed images of the class that the model does not have."""


def reviewed_images(config: RunConfig, store: TrafficStore, model: Path) -> dict[str, list[str]]:
    """Return the digests of reviewed images that a model does not have, by class.

    These are recorded, or brought by people, and in no span, or in later ones than that on which
    the model was trained and judged. Suspects are images of the data set.

    Args:
        config: Of the pipeline that pushed the model.
        store: The reviewed images.
        model: The model's folder.
    """
    known = {one.key for one in read_enrolled_images(model)}
    learned = _span_of(config, model)
    of_the_data = {image.digest for image in store.images() if image.kept is Kept.SUSPECT}
    if learned is not None:  # also what is reviewed once more since
        of_the_data |= _written_up_to(learned, config.data.root)
    found = defaultdict(list)
    for review in store.reviews():
        if review.span is not None and (learned is None or review.span <= learned):
            continue
        if review.decision is not Decision.LABEL or review.digest in of_the_data:
            continue
        if training_keys.key(review.digest) not in known:
            found[review.label].append(review.digest)
    return dict(found)


def _written_up_to(learned: int, pattern: str) -> set[str]:
    """Return the digests of reviewed images in the spans up to a number."""
    records = (SpanRecord.read(str(one.root)) for one in spans(pattern) if one.number <= learned)
    return {digest for record in records if record for digest in record.added.values()}


def _span_of(config: RunConfig, model: Path) -> int | None:
    """Return the number of the span that a model was trained on; None if it is not known."""
    lineage = read_lineage(model)
    if lineage is None or not lineage.run or SPAN not in config.data.root:
        return None
    with contextlib.suppress(NoSuchRun, NoVerdict):
        root = os.path.realpath(find_judged_run(config.root, lineage.run).judgement.root)
        return next(
            (one.number for one in spans(config.data.root) if os.path.realpath(one.root) == root),
            None,
        )
    return None


def enroll_reviewed(
    config: RunConfig, store: TrafficStore, label: str, check: Check | None = None
) -> Enrolled:
    """Write the served model's next version, with the reviewed images of a class.

    A class that the model has gets them as further support images. Needs TensorFlow.

    Args:
        config: Of the pipeline that pushed the model.
        store: The reviewed images.
        label: The class.
        check: As in `serving.enroll`.

    Raises:
        NothingToEnroll: There are none that the model lacks.
        EnrollError: No image is usable.
    """
    from serving.enroll import enroll
    from serving.next_version import version_folder

    if is_remote(config.serving_root):
        raise UserError(
            f"{config.serving_root}: is not on this machine; enroll a copy of the model and copy "
            "the new version back (docs/storage.md)"
        )
    model = version_folder(Path(config.serving_root))
    digests = reviewed_images(config, store, model).get(label)
    if not digests:
        raise NothingToEnroll(
            f"there are no reviewed images of '{printable(label)}' that {model} lacks"
        )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / label
        folder.mkdir()
        for digest in digests:
            os.symlink(store.image_path(digest).absolute(), folder / digest[:16])
        return enroll(model, {label: folder}, extend=None, check=check)
