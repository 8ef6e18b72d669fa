"""Judges an exported model on a folder of labelled images, without a pipeline.

The files are read as ImageExampleGen reads them, each image passes once through each model, and the
Judge's own functions judge. Needs TensorFlow, but neither Beam nor a metadata store.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from base.errors import DataError, UserError
from base.printable import printable
from components.image_example_gen.inspection import image_record
from components.image_example_gen.report import ExcludedFile, IngestionReport
from components.image_example_gen.sources import Source, class_folders, list_sources
from components.image_example_gen.splitting import Described, contradictions
from components.judge.exported_model import Embedded, JudgedModel, ModelError, text, unsaid
from images.canonical import UnusableImage
from judging import gate
from judging.classifier import nearest_neighbour
from judging.judge import Judged, judge
from judging.views import NOT_VALID, TRAINED_ON, HeldOutImages, PairSettings, View
from pipeline.config.run_config import RunConfig
from records import features, training_keys
from storage.file_systems import load_plugins
from storage.model_versions import SAVED_MODEL, newest_version

BATCH = 32
"""Images that a model takes at once."""

CANDIDATE = "candidate"
"""Name of the model that is judged, among those it is compared with."""


class JudgedFolder(NamedTuple):
    """What was found.

    Attributes:
        judged: The judgement.
        excluded: The files that it does not go by, and why.
        notes: Sentences on what may mislead.
    """

    judged: Judged
    excluded: tuple[ExcludedFile, ...]
    notes: tuple[str, ...]


class BrokenModel(UserError):
    """A model whose embeddings are no numbers."""

    exit_code = 1


def load_model(directory: Path) -> JudgedModel:
    """An exported model.

    Args:
        directory: Of one version, or of several, of which the newest is taken.

    Raises:
        ModelError: There is none, or it is an older one that lacks what a judge needs.
    """
    if not (directory / SAVED_MODEL).is_file():
        newest = newest_version(directory)
        if newest is None:
            raise ModelError(
                f"{directory}: holds no {SAVED_MODEL}; give the folder of an exported model, such "
                "as serving/1700000000"
            )
        directory = Path(newest)
    return JudgedModel(str(directory))


def judge_folder(
    models: Mapping[str, JudgedModel],
    images: Path,
    config: RunConfig,
    progress: Callable[[int, int], None] = lambda done, files: None,
) -> JudgedFolder:
    """Judge a model on labelled images.

    Where the folder or the manifest divides the images, only those of the split `test` count; and
    of these, only those that the model was not trained with, as far as it says so.

    Args:
        models: The `candidate`, and what it is compared with (`gate.LAST_BLESSED`, ...).
        images: A folder with a sub-folder of images for each class, or a CSV manifest beside them.
        config: Thresholds, the judge's settings, limits and seeds are taken from it.
        progress: Is told how many of how many files are done.

    Raises:
        DataError: Too few images can be used, the model does not know their classes, it was trained
            with all of them, or no file of `judge.unknown` can be used.
        ModelError: The candidate lacks what a judge needs.
        BrokenModel: A model embeds images as no numbers.
    """
    candidate = models[CANDIDATE]
    if not (candidate.compares and candidate.thresholds):
        raise ModelError(
            f"{candidate.directory}: has no similarity and no thresholds, as an encoder alone; "
            "give a model that a run has pushed"
        )
    root, layout, manifest = _place(images)
    sources, notes = _held_out(list_sources(root, layout, manifest), images)
    _check_classes(sources, candidate, images, config)
    read = _read(models, sources, root, config.data.max_pixels, progress)
    report = _report(read, sources, root, class_folders(root, layout, manifest))
    report.check(config.data.max_unusable)
    usable = [i for i, row in enumerate(read.rows) if row.path not in read.excluded]
    keys = np.array([training_keys.key(read.rows[i].content_hash) for i in usable], "int64")
    learned = candidate.trained_on(keys)
    if learned.all():
        raise DataError(
            f"{images}: the model was trained with all of these {len(usable)} images; judge it on "
            "images that it has never seen"
        )
    kept, keys = np.array(usable)[~learned], keys[~learned]
    rows = [read.rows[i] for i in kept]
    held_out = HeldOutImages(
        np.array([row.id for row in rows]),
        np.array([row.label for row in rows]),
        np.array([text(os.fsencode(row.path)) for row in rows]),
    )
    unknown = _unknown(models, config)
    views = {
        name: model.view(
            np.stack(read.embeddings[name])[kept], keys, unknown.embeddings[name], unknown.keys
        )
        for name, model in models.items()
    }
    reasons = {item.path: item.reason for item in report.excluded}
    reasons |= {printable(read.rows[i].path): TRAINED_ON for i in np.array(usable)[learned]}
    excluded = {**dict(sorted(reasons.items())), **unknown.excluded}
    view = views.pop(CANDIDATE)
    judged = judge(
        held_out,
        view,
        views,
        np.array(read.by_pixels)[kept] if read.by_pixels else None,
        config.thresholds,
        config.judge,
        PairSettings(config.pairs.held_out.partners, config.pairs.held_out.max_images, config.seed),
    )
    judgement = judged.judgement.model_copy(
        update={
            "model": candidate.directory,
            "root": root,
            "invalid": excluded,
        }
    )
    return JudgedFolder(
        judged._replace(judgement=judgement),
        tuple(ExcludedFile(path=path, reason=reason) for path, reason in excluded.items()),
        (*notes, *_what_may_mislead(rows, view), *_unsaid(models)),
    )


class _Row(NamedTuple):
    """An image, in the order of the ids, which decides on the pairs."""

    id: str
    path: str
    label: str
    content_hash: str


class _Images(NamedTuple):
    """The images that could be read, by id; set-aside ones may be among them.

    `by_pixels` are the classes of the labelled images nearest by pixels; none without an encoder
    before training, which brings these.
    """

    rows: list[_Row]
    embeddings: dict[str, list[np.ndarray]]
    by_pixels: list[str]
    excluded: dict[str, str]


def _place(images: Path) -> tuple[str, str, str | None]:
    """The data root, layout and manifest of a folder or of a CSV file."""
    if images.is_file():
        return str(images.parent), "manifest", images.name
    if not images.is_dir():
        raise DataError(
            f"{images}: there is no such folder; name one with a sub-folder of images per class"
        )
    return str(images), "auto", None


def _held_out(sources: list[Source], images: Path) -> tuple[list[Source], list[str]]:
    """Those to judge on, and what to say of the others."""
    if not any(source.split for source in sources):
        return sources, []
    test = [source for source in sources if source.split == features.TEST]
    if not test:
        raise DataError(
            f"{images}: divides its images, and none is in the split '{features.TEST}', which "
            "alone is judged on"
        )
    left = len(sources) - len(test)
    return test, [f"{left} files of other splits than '{features.TEST}' were passed over"]


def _check_classes(
    sources: Iterable[Source], candidate: JudgedModel, images: Path, config: RunConfig
) -> None:
    known = set(candidate.support.labels.tolist())
    labels = {text(os.fsencode(source.label)) for source in sources}
    strange = sorted(labels - known)
    # Classes that were held out from training are judged by each other.
    if not strange or (config.splits.by == "class" and not labels & known):
        return
    raise DataError(
        f"{images}: the model does not know the class {_named(strange)}; it knows {_named(known)}. "
        "Rename or remove these folders; images of no class go into a folder that judge.unknown "
        "names"
    )


def _named(labels: Iterable[str], most: int = 10) -> str:
    names = [repr(printable(label)) for label in sorted(labels)]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _read(
    models: Mapping[str, JudgedModel],
    sources: Sequence[Source],
    root: str,
    max_pixels: int,
    progress: Callable[[int, int], None],
) -> _Images:
    rows: list[_Row] = []
    embeddings: dict[str, list[np.ndarray]] = {name: [] for name in models}
    by_pixels: list[str] = []
    excluded: dict[str, str] = {}
    for start in range(0, len(sources), BATCH):
        progress(start, len(sources))
        encoded, batch = [], []
        for source in sources[start : start + BATCH]:
            try:
                if source.problem:
                    raise UnusableImage(source.problem)
                record = image_record(source, root, max_pixels)
            except UnusableImage as e:
                excluded[source.path] = str(e)
                continue
            feature = record.features.feature
            names = (features.IMAGE_ID, features.LABEL, features.CONTENT_HASH, features.IMAGE)
            image_id, label, content, data = (feature[n].bytes_list.value[0] for n in names)
            encoded.append(data)
            batch.append(_Row(text(image_id), source.path, text(label), text(content)))
        if not batch:
            continue
        for name, found in _embed(models, encoded):
            for row, embedding in zip(batch, found.embeddings, strict=True):
                if np.isnan(embedding).any():
                    excluded[row.path] = NOT_VALID
            embeddings[name] += list(found.embeddings)
            if name == gate.PRETRAINED_ENCODER:
                by_pixels += _nearest_by_pixels(models[name], found.pixels)
        rows += batch
    progress(len(sources), len(sources))
    described = [Described(r.path, r.label, r.content_hash, None) for r in rows]
    excluded = {**contradictions(described), **excluded}
    order = sorted(range(len(rows)), key=lambda i: (rows[i].id, rows[i].path))
    return _Images(
        [rows[i] for i in order],
        {name: [column[i] for i in order] for name, column in embeddings.items()},
        [by_pixels[i] for i in order] if by_pixels else [],
        excluded,
    )


def _nearest_by_pixels(encoder: JudgedModel, pixels: np.ndarray | None) -> list[str]:
    """The class of the labelled image nearest to each; none where the encoder keeps no pixels."""
    labelled = encoder.support_pixels
    if pixels is None or labelled is None:
        return []
    rows, queries = (images.reshape(len(images), -1) for images in (labelled, pixels))
    return nearest_neighbour(rows, encoder.support.labels, queries).tolist()


def _embed(
    models: Mapping[str, JudgedModel], encoded: list[bytes]
) -> Iterator[tuple[str, Embedded]]:
    """What each model makes of images; its embeddings are NaN where it takes one for none."""
    for name, model in models.items():
        found = model.embed(encoded)
        if not np.isfinite(found.embeddings[found.valid]).all():
            raise BrokenModel(
                f"{model.directory}: embeds images as NaN or infinity, so its weights are broken; "
                "train it anew"
            )
        embeddings = np.where(found.valid[:, None], found.embeddings, np.nan)
        yield name, found._replace(embeddings=embeddings)


def _report(
    read: _Images, sources: Sequence[Source], root: str, folders: Sequence[str]
) -> IngestionReport:
    """As at ingestion, so that the same limits hold."""
    counts = Counter(row.label for row in read.rows if row.path not in read.excluded)
    return IngestionReport(
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
            for path, reason in sorted(read.excluded.items())
        ],
        near_duplicates=[],
    )


class _Unknown(NamedTuple):
    """Images of no class: of each model the embeddings, float [u, d], keys int64 [u], and others.

    `excluded` gives of the files that are left out the reasons.
    """

    embeddings: dict[str, np.ndarray]
    keys: np.ndarray
    excluded: dict[str, str]


def _unknown(models: Mapping[str, JudgedModel], config: RunConfig) -> _Unknown:
    found: dict[str, list[np.ndarray]] = {
        name: [np.empty((0, model.support.embeddings.shape[1]), "float32")]
        for name, model in models.items()
    }
    folder = config.judge.unknown
    if not folder:
        nothing = {name: parts[0] for name, parts in found.items()}
        return _Unknown(nothing, np.empty(0, "int64"), {})
    load_plugins(folder)
    from components.judge import unknown_images

    files = unknown_images.files(folder)
    excluded: dict[str, str] = {}
    items: list[tuple[str, int]] = []
    for start in range(0, len(files), BATCH):
        encoded = []
        for path in files[start : start + BATCH]:
            one = unknown_images.read(os.fsencode(path), config.data.max_pixels)
            if isinstance(one, unknown_images.Unusable):
                excluded[printable(path)] = one.reason
                continue
            encoded.append(one.image)
            items.append((printable(path), one.key))
        for name, embedded in _embed(models, encoded) if encoded else ():
            found[name].append(embedded.embeddings)
    joined = {name: np.concatenate(parts) for name, parts in found.items()}
    keys = np.array([key for _, key in items], "int64")
    valid = np.all([np.isfinite(part).all(axis=1) for part in joined.values()], axis=0)
    learned = models[CANDIDATE].trained_on(keys)
    for (path, _), is_valid, was_learned in zip(items, valid, learned, strict=True):
        if was_learned or not is_valid:
            excluded[path] = TRAINED_ON if was_learned else NOT_VALID
    unknown_images.check_some_left(folder, len(files), excluded)
    kept = valid & ~learned
    return _Unknown(
        {name: part[kept] for name, part in joined.items()},
        keys[kept],
        dict(sorted(excluded.items())),
    )


def _unsaid(models: Mapping[str, JudgedModel]) -> Iterator[str]:
    for name, called in ((CANDIDATE, "model"), (gate.LAST_BLESSED, gate.LAST_BLESSED)):
        if name in models and models[name].training_keys is None:
            yield unsaid(called)


def _what_may_mislead(rows: Sequence[_Row], view: View) -> Iterator[str]:
    copies = len(rows) - len({row.content_hash for row in rows})
    if copies:
        yield (
            f"{copies} images are copies of others among them: the intervals are too narrow, since "
            "they count each"
        )
    learned = _of_support(view)
    if learned:
        yield (
            f"{learned} images are embedded exactly as some of the model's own support images, so "
            "it has probably learned from them: judge it on images that it has never seen"
        )
    absent = set(view.support.labels.tolist()) - {row.label for row in rows}
    if absent and len(absent) < len(set(view.support.labels.tolist())):
        yield f"the model also knows {_named(absent)}, of which no image is here"


def _of_support(view: View, tolerance: float = 1e-5) -> int:
    """How many images are where a support image is, up to rounding."""
    support = view.support.embeddings.astype("float64")
    scale = np.linalg.norm(support - support.mean(0), axis=1).max(initial=0.0)
    if scale <= tolerance * np.linalg.norm(support, axis=1).max(initial=0.0):
        return 0  # all are in one place: it says nothing
    squares, found = (support**2).sum(1), 0
    for start in range(0, len(view.embeddings), 1024):
        rows = view.embeddings[start : start + 1024].astype("float64")
        distances = (rows**2).sum(1)[:, None] - 2 * rows @ support.T + squares
        found += int((distances.min(axis=1) <= (tolerance * scale) ** 2).sum())
    return found
