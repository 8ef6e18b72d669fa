"""Judges models by their embeddings of a test set, without the images that must not count."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from base.errors import DataError
from base.printable import printable
from judging.classifier import Support, squared_distances
from judging.folded_view import AnyView, FoldedView
from judging.judge import Judged, judge
from judging.judgement import Check
from judging.settings import JudgeSettings, Thresholds
from judging.views import CANDIDATE, HeldOutImages, PairSettings

NOT_VALID = "the model does not accept it as an image"
TRAINED_ON = "the model was trained on it"
"""Why an image is excluded."""

_NAMED = 3


class EmbeddedImages(NamedTuple):
    """n images, in the order of their ids, and the models' embeddings of them.

    Attributes:
        ids: str [n].
        labels: str [n], their classes; empty for an unknown image.
        sources: str [n], their files.
        groups: str [n], their groups (`records.features.GROUP`); empty: one by itself.
        keys: int64 [n], see `records.training_keys`.
        unknown: bool [n], whether the image is out-of-distribution (of none of the classes).
        valid: bool [n], whether the candidate accepts it.
        embeddings: float [n, d] of each model, by name; NaN where the model does not accept it.
        by_pixels: str [n], the class of the support image nearest by its pixels; None: not known.
    """

    ids: np.ndarray
    labels: np.ndarray
    sources: np.ndarray
    groups: np.ndarray
    keys: np.ndarray
    unknown: np.ndarray
    valid: np.ndarray
    embeddings: dict[str, np.ndarray]
    by_pixels: np.ndarray | None = None

    def numbered_groups(self) -> np.ndarray:
        """Return the number of each image's group, int [n]; identical files are of one group."""
        # Here, since SciPy would be a quarter of the command line's start.
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        named = np.where(self.groups == "", self.ids, self.groups)
        content, group = (np.unique(x, return_inverse=True)[1] for x in (self.keys, named))
        count = len(self.ids)  # contents and groups are at most as many
        links = coo_matrix((np.ones(count), (content, count + group)), (2 * count, 2 * count))
        return connected_components(links, directed=False)[1][content]


class Model(Protocol):
    """A model that can be judged, such as `components.judge.exported_model.JudgedModel`."""

    def trained_on(self, keys: np.ndarray, unknown: np.ndarray | None = None) -> np.ndarray:
        """Return which images of `keys`, int64 [n], it was trained on: bool [n].

        With folds, those of a class are judged by models that were not, and those that are
        `unknown`, bool [n], by the final model.
        """

    def view(
        self,
        embeddings: np.ndarray,
        keys: np.ndarray,
        unknown: np.ndarray,
        unknown_keys: np.ndarray,
    ) -> AnyView:
        """Return its view of test images and unknown images."""


def judge_embedded(
    images: EmbeddedImages,
    models: Mapping[str, Model],
    thresholds: Thresholds | None,
    settings: JudgeSettings,
    pairing: PairSettings,
    others: Sequence[Check] = (),
    unusable: Mapping[str, str] | None = None,
) -> Judged:
    """Judge the candidate on the valid images that it was not trained on.

    Args:
        images: Test images and unknown images.
        models: The candidate, and what it is compared with, by name.
        thresholds: Required thresholds; None: no thresholds.
        settings: How to judge.
        pairing: How to pair the test images.
        others: Additional checks, such as TFMA's.
        unusable: Files of `judge.unknown` that are no images, with the reason.

    Raises:
        DataError: No test image is left, or no image of `judge.unknown`.
    """
    unusable = dict(unusable or {})
    trained_on = models[CANDIDATE].trained_on(images.keys, images.unknown)
    kept = images.valid & ~trained_on
    tested, unknown = kept & ~images.unknown, kept & images.unknown
    reasons = {
        str(source): TRAINED_ON if was_trained_on else NOT_VALID
        for source, was_trained_on in zip(images.sources[~kept], trained_on[~kept], strict=True)
    }
    if not tested.any():
        _refuse_test_images(images, reasons)
    if settings.unknown and not unknown.any():
        of_unknown = {path: reasons[path] for path in images.sources[images.unknown].tolist()}
        _refuse_unknown_images(settings.unknown, {**unusable, **of_unknown})
    views = {
        name: model.view(
            images.embeddings[name][tested], images.keys[tested],
            images.embeddings[name][unknown], images.keys[unknown],
        )
        for name, model in models.items()
    }  # fmt: skip
    candidate, groups = views.pop(CANDIDATE), images.numbered_groups()
    judged = judge(
        HeldOutImages(
            images.ids[tested],
            images.labels[tested],
            images.sources[tested],
            groups[tested],
            candidate.folds if isinstance(candidate, FoldedView) else None,
        ),
        candidate,
        views,
        None if images.by_pixels is None else images.by_pixels[tested],
        thresholds,
        settings,
        pairing,
        others,
        groups[unknown],
    )
    invalid = {**judged.judgement.invalid, **reasons, **unusable}
    return judged._replace(judgement=judged.judgement.model_copy(update={"invalid": invalid}))


def _refuse_test_images(images: EmbeddedImages, reasons: Mapping[str, str]) -> None:
    of_test = images.sources[~images.unknown].tolist()
    if not of_test:
        raise DataError("the split 'test' holds no image to judge on")
    hint = ""
    if all(reasons[source] == TRAINED_ON for source in of_test):
        hint = ", as on all images of its run if splits.folds is on; name images new to it"
    raise DataError(
        f"none of the {len(of_test)} test images can be judged on; "
        f"{printable(of_test[0])}: {reasons[of_test[0]]}{hint}"
    )


def _refuse_unknown_images(folder: str, unusable: Mapping[str, str]) -> None:
    """Otherwise open-set metrics would silently mean something else."""
    examples = [
        f"{printable(os.path.relpath(path, folder))}: {reason}"
        for path, reason in list(unusable.items())[:_NAMED]
    ]
    if len(unusable) > _NAMED:
        examples.append(f"and {len(unusable) - _NAMED} more")
    raise DataError(
        f"judge.unknown: none of the {len(unusable)} files in {folder} can be used as an image: "
        f"{'; '.join(examples)}. Put images of none of the classes there, or leave "
        "judge.unknown out"
    )


def cautions(images: EmbeddedImages, support: Support, judged: Judged) -> Iterator[str]:
    """Yield warnings about a judgement, as sentences without a full stop.

    Args:
        images: The images that the model was judged on.
        support: The candidate's support set.
        judged: The judgement.
    """
    kept = ~images.unknown & ~np.isin(images.sources, list(judged.judgement.invalid))
    if copies := int(kept.sum()) - len(np.unique(images.keys[kept])):
        yield (
            f"{copies} images are copies of others among them; in the intervals, an image counts "
            "once with all its copies"
        )
    if equal := _equal_to_support(images.embeddings[CANDIDATE][kept], support.embeddings):
        yield (
            f"{equal} images are embedded exactly as some of the model's own support images, so "
            "it was probably trained on them: judge it on images that it has never seen"
        )
    known = set(support.labels.tolist())
    absent = known - set(images.labels[kept].tolist())
    if absent and judged.judgement.classified_by == "support set":
        yield f"the model also knows {named(absent)}, of which there are no test images"


def named(labels: Iterable[str], most: int = 10) -> str:
    """Return labels as text, `most` of them by name."""
    names = [repr(printable(label)) for label in sorted(labels)]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _equal_to_support(embeddings: np.ndarray, support: np.ndarray, tolerance: float = 1e-5) -> int:
    """Return how many images are where a support image is, up to rounding."""
    support = support.astype("float64")
    scale = np.linalg.norm(support - support.mean(0), axis=1).max(initial=0.0)
    if scale <= tolerance * np.linalg.norm(support, axis=1).max(initial=0.0):
        return 0  # all are in one place: it means nothing
    equal = 0
    for start in range(0, len(embeddings), 1024):
        distances = squared_distances(embeddings[start : start + 1024], support)
        equal += int((distances.min(axis=1) <= (tolerance * scale) ** 2).sum())
    return equal
