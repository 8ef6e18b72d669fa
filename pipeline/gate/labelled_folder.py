"""Judges an exported model on labelled images, by a configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from components.judge.labelled_folder import FolderSettings, JudgedFolder, judge_folder, load_model
from judging.settings import Thresholds
from judging.views import PairSettings
from pipeline.config.run_config import RunConfig


def judge_models(
    paths: Mapping[str, Path],
    images: Path,
    config: RunConfig,
    progress: Callable[[int, int], None],
) -> JudgedFolder:
    """Judge a model on labelled images; see `components.judge.labelled_folder.judge_folder`.

    Args:
        paths: The exported models, by name: the `CANDIDATE`, and what it is compared with.
        images: A folder with a sub-folder of images for each class, or a CSV manifest beside them.
        config: Supplies thresholds, the judge's settings, limits and seeds.
        progress: Is called with the number of files done, and of all.
    """
    models, notes = {}, list[str]()
    for name, path in paths.items():
        models[name], skipped = load_model(path)
        notes += skipped
    judged = judge_folder(models, images, folder_settings(config, config.thresholds), progress)
    return judged._replace(notes=(*notes, *judged.notes))


def folder_settings(config: RunConfig, thresholds: Thresholds | None) -> FolderSettings:
    """Return how a configuration has labelled folders judged.

    Args:
        config: The configuration.
        thresholds: What the verdict goes by; None: there is none.
    """
    held_out = config.pairs.held_out
    return FolderSettings(
        thresholds,
        config.judge,
        PairSettings(held_out.partners, held_out.max_images, config.seed),
        config.data.max_pixels,
        config.data.max_unusable,
        config.splits.by == "class",
        config.splits.group,
        config.data.classes,
    )
