"""Judges an exported model on a folder of labelled images, without a pipeline.

Files are read as ImageExampleGen reads them, and judged as the Judge does. Needs TensorFlow, but
neither Beam nor a metadata store.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from base.errors import DataError, UserError
from base.printable import printable, text_of
from components.image_example_gen.inspection import image_record
from components.image_example_gen.report import ExcludedFile, IngestionReport
from components.image_example_gen.sources import Source, class_folders, list_sources
from components.image_example_gen.splitting import Described, contradictions
from components.judge import embedding, unknown_images
from components.judge.embedding import BATCH, Item
from components.judge.exported_model import (
    Embedded,
    JudgedModel,
    ModelError,
    no_training_keys,
)
from components.judge.unknown_images import Unusable
from images.canonical import UnusableImage
from judging import gate
from judging.embedded_images import (
    NOT_VALID,
    cautions,
    judge_embedded,
    named,
)
from judging.judge import Judged
from judging.settings import JudgeSettings, Thresholds
from judging.views import CANDIDATE, PairSettings
from records import features
from storage.model_versions import SAVED_MODEL, complete_versions, is_version_number


class FolderSettings(NamedTuple):
    """How a folder is judged.

    Attributes:
        thresholds: Required thresholds; None: no thresholds.
        judge: How to judge.
        pairing: How to pair the images.
        max_pixels: Height times width of the largest image to read.
        max_unusable: Greatest share of unusable files.
        held_out_classes: Whether all classes may be unknown to the model.
        group_rule: What names the groups of images in folders: see `image_example_gen.groups`.
        classes: The classes that the configuration lists, if it does.
    """

    thresholds: Thresholds | None
    judge: JudgeSettings
    pairing: PairSettings
    max_pixels: int
    max_unusable: float
    held_out_classes: bool
    group_rule: str | None = None
    classes: tuple[str, ...] | None = None


class JudgedFolder(NamedTuple):
    """A judgement, and warnings about it: sentences without a full stop."""

    judged: Judged
    notes: tuple[str, ...]


class BrokenModel(UserError):
    """A model whose embeddings are not finite."""

    exit_code = 1


def load_model(directory: Path) -> tuple[JudgedModel, tuple[str, ...]]:
    """Load an exported model.

    Args:
        directory: Of one version, or of several, of which the newest complete one is loaded.

    Returns:
        The model, and notes on newer versions that were skipped.

    Raises:
        ModelError: There is none, or it is an older one that lacks what the Judge needs.
    """
    if (directory / SAVED_MODEL).is_file():
        return JudgedModel(str(directory)), ()
    versions = complete_versions(directory) if directory.is_dir() else {}
    if not versions:
        raise ModelError(
            f"{directory}: holds no {SAVED_MODEL}; give the folder of an exported model, such as "
            "serving/1700000000"
        )
    newest = max(versions)
    skipped = sorted(
        path.name for path in directory.iterdir()
        if path.is_dir() and is_version_number(path.name) and int(path.name) > newest
    )  # fmt: skip
    notes = (
        f"{directory / name}: skipped, since it holds no {SAVED_MODEL}; {versions[newest]} is used"
        for name in skipped
    )
    return JudgedModel(versions[newest]), tuple(notes)


def judge_folder(
    models: Mapping[str, JudgedModel],
    images: Path,
    settings: FolderSettings,
    progress: Callable[[int, int], None] = lambda done, files: None,
) -> JudgedFolder:
    """Judge a model on labelled images.

    Images that the model was trained on, by its training keys, are excluded. If the folder or the
    manifest divides the images into splits, only those of the split `test` count.

    Args:
        models: The candidate, and what it is compared with (`gate.LAST_BLESSED`, ...), by name.
        images: A folder with a sub-folder of images for each class, or a CSV manifest beside them.
        settings: How to judge.
        progress: Is called with the number of files done, and of all.

    Raises:
        DataError: Too few images can be used, the model does not know their classes, it was trained
            on all of them, or no file of `judge.unknown` can be used.
        ModelError: The candidate lacks what the Judge needs.
        BrokenModel: A model's embeddings are not finite.
    """
    candidate = models[CANDIDATE]
    if not (candidate.has_similarity and candidate.thresholds):
        raise ModelError(
            f"{candidate.directory}: is an encoder alone, without similarity and thresholds; give "
            "a model that a run has pushed"
        )
    root, layout, manifest = _place(images)
    rule = settings.group_rule if manifest is None else None
    listed = list_sources(root, layout, manifest, rule, settings.classes)
    sources, notes = _test_sources(listed, images)
    _check_classes(sources, candidate, images, settings.held_out_classes)
    test = _embed(models, _items(sources, root, settings.max_pixels), len(sources), progress)
    folders = class_folders(root, layout, manifest)
    excluded = _excluded(test, sources, root, folders, settings.max_unusable)
    files = _unknown_files(settings.judge.unknown)
    items = (unknown_images.read(os.fsencode(path), settings.max_pixels) for path in files)
    unknown = _embed(models, items, len(files), progress)
    embedded = embedding.joined(test.batches + unknown.batches)
    counted = embedded.unknown | ~np.isin(embedded.sources, list(excluded))
    embedded = embedded._replace(valid=embedded.valid & counted)
    judged = judge_embedded(
        embedded, models, settings.thresholds, settings.judge, settings.pairing,
        unusable=unknown.unusable,
    )  # fmt: skip
    invalid = {**judged.judgement.invalid, **excluded}
    origin = {"model": candidate.directory, "root": root, "invalid": dict(sorted(invalid.items()))}
    judged = judged._replace(judgement=judged.judgement.model_copy(update=origin))
    notes += [*cautions(embedded, candidate.support, judged), *_without_training_keys(models)]
    return JudgedFolder(judged, tuple(notes))


class _Read(NamedTuple):
    """Batches of `embedding.columns`, and the reasons of unusable files by path."""

    batches: list[dict[str, np.ndarray]]
    unusable: dict[str, str]


def _place(images: Path) -> tuple[str, str, str | None]:
    """Return the data root, layout and manifest of a folder or of a CSV file."""
    if images.is_file():
        return str(images.parent), "manifest", images.name
    if not images.is_dir():
        raise DataError(
            f"{images}: there is no such folder; name one with a sub-folder of images per class"
        )
    return str(images), "auto", None


def _test_sources(sources: list[Source], images: Path) -> tuple[list[Source], list[str]]:
    """Return the files to judge on, and notes on the others."""
    if not any(source.split for source in sources):
        return sources, []
    test = [source for source in sources if source.split == features.TEST]
    if not test:
        raise DataError(
            f"{images}: divides its images, and none is in the split '{features.TEST}', which "
            "alone is judged on"
        )
    left = len(sources) - len(test)
    return test, [f"{left} files of other splits than '{features.TEST}' were ignored"]


def _check_classes(
    sources: Iterable[Source], candidate: JudgedModel, images: Path, held_out_classes: bool
) -> None:
    known = set(candidate.support.labels.tolist())
    labels = {text_of(os.fsencode(source.label)) for source in sources}
    # Classes that were held out from training are classified by each other, enrolled or not.
    if labels <= known or (held_out_classes and not labels & (known - candidate.enrolled)):
        return
    raise DataError(
        f"{images}: the model does not know the class {named(labels - known)}; it knows "
        f"{named(known)}. Rename or remove these folders; put images of none of the "
        "classes into a folder of their own, and set judge.unknown to it"
    )


def _items(sources: Sequence[Source], root: str, max_pixels: int) -> Iterator[Item | Unusable]:
    for source in sources:
        try:
            if source.problem:
                raise UnusableImage(source.problem)
            record = image_record(source, root, max_pixels)
        except UnusableImage as e:
            yield Unusable(os.fsencode(source.path), str(e))
        else:
            yield embedding.item(record.SerializeToString())


def _unknown_files(folder: str | None) -> list[str]:
    if not folder:
        return []
    return unknown_images.files(folder)


def _embed(
    models: Mapping[str, JudgedModel],
    items: Iterable[Item | Unusable],
    files: int,
    progress: Callable[[int, int], None],
) -> _Read:
    read = _Read([], {})
    progress(0, files)
    batch: list[Item] = []
    for done, one in enumerate(items, start=1):
        if isinstance(one, Unusable):
            read.unusable[text_of(one.source)] = one.reason
        else:
            batch.append(one)
        if batch and (len(batch) == BATCH or done == files):
            embedded = embedding.embed(models, batch)
            _check_finite(models, embedded)
            read.batches.append(embedding.columns(models, batch, embedded))
            batch = []
            progress(done, files)
    return read


def _check_finite(models: Mapping[str, JudgedModel], embedded: Mapping[str, Embedded]) -> None:
    for name, found in embedded.items():
        if not np.isfinite(found.embeddings[found.valid]).all():
            raise BrokenModel(
                f"{models[name].directory}: embeds images as NaN or infinity, so its weights are "
                "broken; train it again"
            )


def _excluded(
    read: _Read,
    sources: Sequence[Source],
    root: str,
    folders: Sequence[str],
    max_unusable: float,
) -> dict[str, str]:
    """Return the reasons of excluded files by path, within the limits that hold at ingestion."""
    rows = [
        (Described(text_of(path), text_of(label), str(key), None), bool(valid))
        for batch in read.batches
        for path, label, key, valid in zip(
            *(batch[name].tolist() for name in ("source", "label", "key", "valid")), strict=True
        )
    ]
    excluded = {
        **contradictions([row for row, _ in rows]),
        **{row.path: NOT_VALID for row, valid in rows if not valid},
        **read.unusable,
    }
    counts = Counter(row.label for row, _ in rows if row.path not in excluded)
    IngestionReport(
        root=root,
        files=len(sources),
        reencoded=0,
        expected_classes=list(folders),
        classes={
            printable(label): {**dict.fromkeys(features.SPLITS, 0), features.TEST: count}
            for label, count in sorted(counts.items())
        },
        excluded=[
            ExcludedFile(path=printable(path), reason=printable(reason))
            for path, reason in sorted(excluded.items())
        ],
        near_duplicates=[],
    ).check(max_unusable)
    return excluded


def _without_training_keys(models: Mapping[str, JudgedModel]) -> Iterator[str]:
    for name, called in ((CANDIDATE, "model"), (gate.LAST_BLESSED, gate.LAST_BLESSED)):
        if name in models and models[name].training_keys is None:
            yield no_training_keys(called)
