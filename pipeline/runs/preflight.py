"""Refuses, before any component runs, what cannot work: folders, a backbone, blocks, a server."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from base.errors import StorageError
from images.file_names import files_below, is_ignored
from pipeline.config.errors import ConfigError
from pipeline.config.run_config import RunConfig
from records import features
from storage.file_systems import is_remote


def check_blocks(config: RunConfig) -> None:
    """Refuse blocks that were asked for and are larger than the training split.

    Defaults take what there is; a number that the configuration names is meant. Only class folders
    can be counted in an instant.

    Raises:
        ConfigError: They are larger.
    """
    named = config.pairs.train.model_fields_set
    if config.data.layout not in ("auto", "class_folders") or config.data.manifest:
        return
    if is_remote(config.data.root):
        return
    classes = _images(Path(config.data.root))
    if config.splits.by == "class" or len(classes) < 2:
        return
    train = {label: max(1, round(count * config.splits.train)) for label, count in classes.items()}
    pairs, share = config.pairs.train, f"{config.splits.train:.0%} of {sum(classes.values())}"
    if pairs.sampling == "all_pairs" and "block_size" in named:
        _refuse("block_size", pairs.block_size, sum(train.values()), f"images ({share})")
    if pairs.sampling == "class_balanced":
        if "classes_per_block" in named:
            _refuse("classes_per_block", pairs.classes_per_block, len(classes), "classes")
        if "images_per_class" in named:
            most = max(train.values())
            _refuse("images_per_class", pairs.images_per_class, most, "images of a class at most")
    if pairs.sampling == "random_partners" and "partners" in named:
        _refuse("partners", pairs.partners, sum(train.values()) - 1, "partners for an image")


def check_unknown(config: RunConfig) -> None:
    """Refuse a local `judge.unknown` that is no folder or has no files in it.

    The Judge, which reads them, comes after the training.

    Raises:
        ConfigError: It is none, or has none.
    """
    folder = config.judge.unknown
    if not folder or is_remote(folder):
        return
    mend = "name a folder with images of no class, or leave judge.unknown out"
    if not Path(folder).is_dir():
        raise ConfigError(f"judge.unknown: there is no folder {folder}; {mend}")
    if next(files_below(folder), None) is None:
        raise ConfigError(f"judge.unknown: {folder} holds no files; {mend}")


def check_found_hyperparameters(config: RunConfig) -> None:
    """Refuse a `tuner.reuse` that holds no result of a search.

    Raises:
        ConfigError: It does not.
    """
    folder = config.tuner.reuse
    if folder and not is_remote(folder) and not (Path(folder) / BEST_HYPERPARAMETERS).is_file():
        raise ConfigError(
            f"tuner.reuse: {folder} holds no {BEST_HYPERPARAMETERS}; give the folder that a Tuner "
            f"has written, {config.root}/pipeline/Tuner/best_hyperparameters/<number>"
        )


def check_storage(config: RunConfig) -> None:
    """Refuse buckets of s3:// that cannot be read or written, within seconds.

    TensorFlow would try each of them for a minute, and the Pusher's after the training. Of gs://
    and others it is left to TensorFlow.

    Raises:
        ConfigError: They cannot, or the plug-in for them is not installed.
    """
    from storage import s3_access

    places = [(config.read_from, False), (config.written_to, True)]
    for key, path, write in ((k, p, write) for of, write in places for k, p in of.items()):
        try:
            if path.startswith(f"{s3_access.SCHEME}://"):
                s3_access.check(path, write)
        except StorageError as e:
            raise ConfigError(f"{key}: {e}") from e


def check_engine(config: RunConfig) -> None:
    """Refuse a `push.infra_check` that is not at hand.

    Raises:
        ConfigError: It is not.
    """
    from serving.engine import EngineError, choose

    try:
        if config.push.infra_check:
            choose(config.push.infra_check)
    except EngineError as e:
        raise ConfigError(f"push.infra_check: {e}") from e


BEST_HYPERPARAMETERS = "best_hyperparameters.txt"


def check_network(config: RunConfig) -> None:
    """Build the backbone as the Trainer will, its weights loaded. Imports Keras.

    Raises:
        BackboneError: There is no such backbone, or it cannot take images of this size.
        WeightsError: The weights cannot be had or belong to another architecture.
    """
    import keras

    from trainer.network.backbone import build_backbone

    for backbone in (config.model.backbone, *_searched(config)):
        build_backbone(config.model.model_copy(update={"backbone": backbone}), config.image.size)
    keras.backend.clear_session()


def _searched(config: RunConfig) -> tuple[str, ...]:
    return config.tuner.backbones if config.tuner.enabled else ()


def _refuse(key: str, wanted: int, possible: int, of_what: str) -> None:
    if wanted > possible:
        raise ConfigError(
            f"pairs.train.{key}: {wanted} is more than the '{features.TRAIN}' split has, about "
            f"{possible} {of_what}; give {possible} at most, or leave it out"
        )


def _images(root: Path) -> Counter[str]:
    """Files in each class folder, unread; none where the layout is another one."""
    counts: Counter[str] = Counter()
    if not root.is_dir() or any((root / split).is_dir() for split in features.SPLITS):
        return counts
    for path in root.glob("*/*"):
        if not is_ignored(path.name) and not is_ignored(path.parent.name):
            counts[path.parent.name] += 1
    return counts
