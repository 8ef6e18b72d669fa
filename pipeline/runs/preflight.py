"""Refuses, before any component runs, a configuration that cannot work.

`check` takes seconds and imports neither TensorFlow nor TFX; `check_network` builds the network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from base.errors import DataError, StorageError
from base.printable import printable
from components.image_example_gen import forecast
from components.image_example_gen.groups import check_classes
from components.image_example_gen.sources import Source, list_sources
from components.image_example_gen.splitting import LEAST
from images.file_names import files_below
from pipeline.config.errors import ConfigError
from pipeline.config.folds import folds_of
from pipeline.config.run_config import RunConfig
from records import features
from storage.file_systems import is_remote
from storage.spans import SPAN, current_root
from trainer.image_limits import most_images
from trainer.kerashub import check_installed

BEST_HYPERPARAMETERS = "best_hyperparameters.txt"

_SAMPLE = 50
"""Files that are decoded to see whether there are images at all."""

_NAMED = 4


def check(config: RunConfig) -> None:
    """Check everything that is known without TensorFlow and TFX.

    Raises:
        BackboneError: The backbone needs a package that is not installed.
        ConfigError: A value cannot work; the message names its key.
    """
    for backbone in config.backbones:
        check_installed(backbone)
    _check_storage(config)
    config = at_newest_span(config)
    if not is_remote(config.data.root) and SPAN not in config.data.root:
        sources = check_data(config)
        _check_counts(config, sources)
        _check_blocks(config, sources)
    _check_without_class(config)
    _check_found_hyperparameters(config)
    _check_files(config)
    _check_engine(config)


def at_newest_span(config: RunConfig) -> RunConfig:
    """Return the configuration with the newest span as data root, if it has spans locally."""
    if is_remote(config.data.root):
        return config
    root = current_root(config.data.root)
    return config.model_copy(update={"data": config.data.model_copy(update={"root": root})})


def check_data(config: RunConfig) -> list[Source]:
    """Return the files of the data set, which is in a local folder.

    Raises:
        ConfigError: The folder is laid out in another way, or holds no images.
    """
    sources = _sources(config)
    _check_images(config, sources)
    return sources


def check_enrolled(config: RunConfig) -> None:
    """Refuse enrolled classes of the served model that cannot be carried over. Imports TensorFlow.

    Raises:
        DataError: The new model could use no image of such a class.
    """
    from trainer.export.carry_over import images_to_carry_over

    if config.push.enrolled == "carry_over":
        images_to_carry_over(config.serving_root, config.data.max_pixels)


def check_network(config: RunConfig) -> None:
    """Build the backbones as the Trainer will, with their weights. Imports Keras.

    Raises:
        BackboneError: There is no such backbone, or it cannot take images of this size.
        WeightsError: The weights are unavailable or belong to another architecture.
    """
    import keras

    from trainer.network.backbone import build_backbone

    for backbone in config.backbones:
        build_backbone(config.model.model_copy(update={"backbone": backbone}), config.image.size)
    keras.backend.clear_session()


def _check_storage(config: RunConfig) -> None:
    """Check access to s3:// buckets, which TensorFlow would retry for a minute each."""
    from storage import s3_access

    places = [(config.read_from, False), (config.written_to, True)]
    for key, path, write in ((k, p, write) for of, write in places for k, p in of.items()):
        try:
            if path.startswith(f"{s3_access.SCHEME}://"):
                s3_access.check(path, write)
        except StorageError as e:
            raise ConfigError(f"{key}: {e}") from e


def _sources(config: RunConfig) -> list[Source]:
    """Return the files of the data set; refuse folders of another layout."""
    data, root = config.data, Path(config.data.root)
    if not root.is_dir():
        raise ConfigError(
            f"data.root: there is no folder {root}. Name a folder with a sub-folder of images per "
            f"class, or write sample images: siamese sample-data {root}"
        )
    names = sorted(root.iterdir())
    flat = not data.manifest and not any(path.is_dir() for path in names)
    if flat and any(_problem(path, config) is None for path in names[:_SAMPLE]):
        raise ConfigError(
            f"data.root: {root} is the folder of one class; name the folder above it, with a "
            "sub-folder of images per class"
        )
    try:
        sources = list_sources(
            str(root), data.layout, data.manifest, config.splits.group, data.classes
        )
        if config.splits.by == "class":
            check_classes(sources, str(root))
    except DataError as e:
        raise ConfigError(f"data.root: {e}") from e
    if len({source.label for source in sources}) < 2:
        raise ConfigError(
            f"data.root: {root} has images of one class only, {sources[0].label!r}; "
            f"{_one_level_down(root, sources)}"
        )
    return sources


def _check_counts(config: RunConfig, sources: Sequence[Source]) -> None:
    """Refuse too few images for pairs in each split, before any of them is read."""
    given = any(source.split for source in sources)
    if given and isinstance(config.splits.folds, int):
        raise ConfigError(
            f"splits.folds: {config.data.root} gives images their splits, and folds would deal "
            "them anew; set splits.folds: null"
        )
    if folds := folds_of(config, sources):
        _check_memory(config, sources)
        if problem := forecast.too_few_for_folds(sources, folds):
            raise ConfigError(f"data.root: {config.data.root} has too few images: {problem}")
        return
    shares = {split: getattr(config.splits, split) for split in features.SPLITS}
    if given:
        counts = forecast.counts_of_given(sources)
        advice = "move images into it, or do not give splits, so that the run divides the classes"
    elif config.splits.by == "class":
        counts = forecast.counts_of_whole_classes(sources, shares, config.seed)
        advice = "add classes, or set splits.by to image"
    else:
        counts = forecast.counts_by_share(sources, shares)
        advice = (
            f"{LEAST} images of each class suffice, of {LEAST} different groups if there are "
            "groups: add images"
        )
    grouped = any(source.group is not None for source in sources)
    if problem := forecast.too_few(counts, grouped):
        raise ConfigError(f"data.root: {config.data.root} has too few images: {problem}. {advice}")


def _check_memory(config: RunConfig, sources: Sequence[Source]) -> None:
    most = most_images(config.image.size, config.image.as_tiles())
    if len(sources) > most:
        raise ConfigError(
            f"splits.folds: {len(sources):,} images of this size do not fit in memory, and with "
            f"folds all are learned from at once; at most {most:,} do: set splits.folds: null"
        )


def _one_level_down(root: Path, sources: Sequence[Source]) -> str:
    """Return what to do about a single class, whose sub-folders may be the classes."""
    below = {path[:-1] for source in sources if len(path := Path(source.path).parts) > 2}
    if len(below) < 2 or len({path[:-1] for path in below}) > 1:
        return "at least two classes are needed, each in a sub-folder of its own"
    names = ", ".join(sorted(repr(path[-1]) for path in below)[:_NAMED])
    return (
        f"if the folders in it ({names}) are the classes, set data.root to "
        f"{root.joinpath(*next(iter(below))[:-1])}"
    )


def _check_images(config: RunConfig, sources: Sequence[Source]) -> None:
    root = Path(config.data.root)
    first = None
    for one in sources[:: max(1, len(sources) // _SAMPLE)]:
        problem = one.problem or _problem(root / one.path, config)
        if problem is None:
            return
        first = first or f"its first file, {printable(one.path)}, {printable(problem)}"
    raise ConfigError(f"data.root: {root} holds no image that can be read; {first}")


def _problem(path: Path, config: RunConfig) -> str | None:
    """Return why a file is no usable image, such as "is empty"; None if it is one."""
    from images.canonical import Region, UnusableImage, canonical_image
    from images.reading import read_bytes

    cut = config.image.region
    region = Region(**cut.model_dump()) if cut else None
    try:
        canonical_image(read_bytes(str(path)), config.data.max_pixels, region)
    except UnusableImage as e:
        return str(e)
    return None


def _check_blocks(config: RunConfig, sources: Sequence[Source]) -> None:
    """Refuse blocks larger than the training split, if the configuration names their sizes.

    Default sizes are upper limits.
    """
    if config.splits.by == "class" or any(source.split for source in sources):
        return
    classes = Counter(source.label for source in sources)
    of_all = 1.0 if folds_of(config, sources) else config.splits.train
    train = {label: max(1, round(count * of_all)) for label, count in classes.items()}
    share = f"{of_all:.0%} of {len(sources)}"
    limits = {
        "all_pairs": {"block_size": (sum(train.values()), f"images ({share})")},
        "class_balanced": {
            "classes_per_block": (len(classes), "classes"),
            "images_per_class": (max(train.values()), "images of a class at most"),
        },
        "random_partners": {"partners": (sum(train.values()) - 1, "partners for an image")},
    }
    pairs = config.pairs.train
    for key, (limit, unit) in limits[pairs.sampling].items():
        if key in pairs.model_fields_set and getattr(pairs, key) > limit:
            raise ConfigError(
                f"pairs.train.{key}: {getattr(pairs, key)} is more than the '{features.TRAIN}' "
                f"split has, about {limit} {unit}; give {limit} at most, or leave it out"
            )


def _check_without_class(config: RunConfig) -> None:
    """The folders of images without a class are read late in a run."""
    what = {
        "data.unlabelled": (config.data.unlabelled, "unlabelled images"),
        "judge.unknown": (config.judge.unknown, "images of none of the classes"),
    }
    for key, (folder, images) in what.items():
        if not folder or is_remote(folder):
            continue
        fix = f"name a folder of {images}, or leave {key} out"
        if not Path(folder).is_dir():
            raise ConfigError(f"{key}: there is no folder {folder}; {fix}")
        if next(files_below(folder), None) is None:
            raise ConfigError(f"{key}: {folder} holds no files; {fix}")


def _check_found_hyperparameters(config: RunConfig) -> None:
    folder = config.tuner.reuse
    if folder and not is_remote(folder) and not (Path(folder) / BEST_HYPERPARAMETERS).is_file():
        raise ConfigError(
            f"tuner.reuse: {folder} holds no {BEST_HYPERPARAMETERS}; give the folder that a Tuner "
            f"has written, {config.root}/pipeline/Tuner/best_hyperparameters/<number>"
        )


def _check_files(config: RunConfig) -> None:
    for key in ("model.backbone", "model.weights"):
        path = config.read_from.get(key)
        if path and not is_remote(path) and not Path(path).exists():
            raise ConfigError(f"{key}: there is no file {path}")


def _check_engine(config: RunConfig) -> None:
    from serving.engine import EngineError, choose

    try:
        if config.push.infra_check:
            choose(config.push.infra_check)
    except EngineError as e:
        raise ConfigError(f"push.infra_check: {e}") from e
