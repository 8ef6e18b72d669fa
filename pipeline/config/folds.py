"""Whether images are dealt to folds, in place of splits. Imports neither TensorFlow nor TFX."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from base.errors import DataError
from components.image_example_gen.folds import DEFAULT
from components.image_example_gen.sources import Source, list_sources
from pipeline.config.run_config import RunConfig
from pipeline.config.sections import Splits
from storage.file_systems import is_remote
from storage.spans import current_root
from trainer.image_limits import most_images

FEW = 30
"""Images a class, on average, below which folds are chosen automatically."""


def folds_of(config: RunConfig, sources: Sequence[Source] | None = None) -> int | None:
    """Return the number of folds, or None for splits.

    With `splits.folds: auto` images are counted, which needs a local folder, since the DAG must be
    known before the ingestion reads them; of spans, the newest is counted.

    Args:
        config: The run's configuration.
        sources: The files of the data set, if they are listed already.
    """
    if config.splits.folds != "auto":
        return config.splits.folds
    shares = ("train", "validation", "test")
    if any(getattr(config.splits, one) != getattr(Splits(), one) for one in shares):
        return None
    if config.no_folds():
        return None
    if sources is None:
        sources = _local_sources(config)
    if not sources or any(source.split for source in sources):
        return None
    if len(sources) > most_images(config.image.size, config.image.as_tiles()):
        return None
    classes = {source.label for source in sources}
    return DEFAULT if len(sources) < FEW * len(classes) else None


def _local_sources(config: RunConfig) -> list[Source] | None:
    if is_remote(config.data.root):
        return None
    root = current_root(config.data.root)
    if not Path(root).is_dir():
        return None
    data = config.data
    try:
        return list_sources(root, data.layout, data.manifest, config.splits.group, data.classes)
    except DataError:  # which the ingestion reports
        return None
