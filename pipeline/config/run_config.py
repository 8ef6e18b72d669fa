"""The configuration of a run, as an immutable model: all settings, and which go together.

`pipeline.config.reading` reads it from a YAML file.
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator, model_validator

from base.settings import Section
from base.webhook import Notify
from components.data_check.settings import AuditSettings
from judging.settings import JudgeSettings, Thresholds
from monitoring.settings import MonitorSettings
from pipeline.cluster.settings import Kubeflow
from pipeline.config.sections import Beam, Data, Image, Pairs, Push, Splits, Traffic, Tuner
from storage.file_systems import absolute, is_remote, is_s3
from trainer.kerashub import check_image_size
from trainer.recipe.conditions import only_fine_tuning
from trainer.settings import (
    ArticleModel,
    ArticleTraining,
    Model,
    Training,
    check_loss,
    check_recipe,
)

_ON_THIS_MACHINE = (None, "DirectRunner", "PrismRunner")
_PATTERN = re.compile(r"[*?\[\]]")


def check_beam_workers(beam: Beam, key: str, root: str | None) -> None:
    """Refuse Beam workers on other machines if artifacts are on s3://: steps use local copies.

    Args:
        beam: The section `beam`.
        key: The key that names the root of the artifacts.
        root: Its value.

    Raises:
        ValueError: The runner has, or may have, such workers.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    parser.add_argument("--runner")
    runner = parser.parse_known_args(beam.args)[0].runner
    if root and is_s3(root) and runner not in _ON_THIS_MACHINE:
        raise ValueError(
            f"{key}: {root}: the workers of beam.args --runner={runner} cannot reach the local "
            "copies that steps make of artifacts on s3://; use gs:// or a volume that all workers "
            "mount, or --runner=DirectRunner"
        )


class RunConfig(Section):
    """All settings of a run."""

    name: str = Field(
        "siamese",
        pattern=r"^[a-z][a-z0-9-]{0,62}$",
        description="Name of the pipeline: lower-case letters, digits and hyphens.",
    )
    output: str = Field(
        "runs",
        description="Local folder of all pipelines; each pipeline gets a folder by its name. "
        "`artifacts` moves the components' outputs elsewhere.",
    )
    artifacts: str | None = Field(
        None,
        description="Folder of the components' outputs, such as gs://bucket/folder or "
        "s3://bucket/folder; each pipeline gets a folder by its name. Default: `pipeline` in the "
        "pipeline's own folder. See docs/storage.md.",
    )
    data: Data
    splits: Splits = Splits()
    image: Image = Image()
    pairs: Pairs = Pairs()
    model: Model = Field(Model(), validate_default=True)
    training: Training = Training()
    tuner: Tuner = Tuner()
    thresholds: Thresholds | None = Field(
        Thresholds(), description="null: the model is measured and never blessed."
    )
    judge: JudgeSettings = JudgeSettings()
    push: Push = Push()
    notify: Notify = Notify()
    traffic: Traffic = Traffic()
    monitor: MonitorSettings = MonitorSettings()
    beam: Beam = Beam()
    kubeflow: Kubeflow = Kubeflow()
    cache: bool = Field(True, description="Reuse the outputs of unchanged steps.")
    seed: int = Field(
        0, ge=0, description="All random choices derive from it: splits, pairs, training, search."
    )

    @field_validator("model")
    @classmethod
    def _backbone_is_named(cls, model: Model, info: ValidationInfo) -> Model:
        # If the section `image` is wrong, that is reported.
        image = info.data.get("image")
        return model.for_size(image.size) if image else model

    @model_validator(mode="after")
    def _loss_can_learn(self) -> RunConfig:
        check_loss(self.model, self.training, self.pairs.train.sampling)
        check_recipe(self.model, self.training)
        return self

    def no_folds(self) -> str:
        """Return why images cannot be judged in folds, in words, or an empty text."""
        if self.splits.by == "class":
            return "splits.by 'class' holds out whole classes"
        if self.tuner.enabled or self.tuner.reuse:
            return "a search (tuner) needs validation images"
        if why := only_fine_tuning(self.model, self.training):
            return f"they need a frozen encoder, and all weights are trained, since {why}"
        return ""

    @model_validator(mode="after")
    def _images_are_whole_patches(self) -> RunConfig:
        for backbone in self.backbones:
            check_image_size(backbone, self.image.size)
        return self

    @model_validator(mode="after")
    def _the_values_are_those_of_each_backbone(self) -> RunConfig:
        for backbone in self.backbones:  # a search sets each of them
            Model.model_validate({**self.model.model_dump(), "backbone": backbone})
        return self

    @model_validator(mode="after")
    def _folds_can_be_judged(self) -> RunConfig:
        if isinstance(self.splits.folds, int) and (why := self.no_folds()):
            raise ValueError(f"splits.folds {self.splits.folds}: {why}; set splits.folds: null")
        if isinstance(self.splits.folds, int) and self.training.refit:
            raise ValueError(
                f"splits.folds {self.splits.folds}: the model learns from all images anyway, and "
                "there are no validation images; leave training.refit out"
            )
        return self

    @model_validator(mode="after")
    def _the_article_has_no_tiles(self) -> RunConfig:
        article = (self.model.article, self.training.article)
        if self.image.tiles and article != (ArticleModel(), ArticleTraining()):
            raise ValueError(
                "image.tiles is no part of the 2019 article's recipe (model.article, "
                "training.article); leave out one of them"
            )
        return self

    @model_validator(mode="after")
    def _reference_methods_are_measured(self) -> RunConfig:
        asked = self.thresholds
        if asked and asked.beats_pretrained_encoder and not self.judge.reference_methods:
            raise ValueError(
                "thresholds.beats_pretrained_encoder needs judge.reference_methods; set that to "
                "true, or leave the threshold out"
            )
        return self

    @model_validator(mode="after")
    def _images_without_class_are_no_class(self) -> RunConfig:
        folders = {"judge.unknown": self.judge.unknown, "data.unlabelled": self.data.unlabelled}
        for key, path in folders.items():
            if not path or self.data.manifest or is_remote(path) != is_remote(self.data.root):
                continue
            root, folder = (os.path.abspath(one) for one in (self.data.root, path))
            if os.path.commonpath([root, folder]) == root:
                raise ValueError(
                    f"{key} {path!r} is inside data.root, whose folders are classes; move it out "
                    "of there"
                )
        return self

    @model_validator(mode="after")
    def _unlabelled_images_can_be_used(self) -> RunConfig:
        searched = self.tuner.enabled or bool(self.tuner.reuse)
        why = only_fine_tuning(self.model, self.training, searched)
        if self.data.unlabelled and why:
            raise ValueError(
                f"data.unlabelled needs a frozen encoder, and all weights are trained, since {why}"
                "; leave it out, or name a pretrained encoder (model.backbone)"
            )
        return self

    @model_validator(mode="after")
    def _groups_are_named_once(self) -> RunConfig:
        if self.splits.group and self.data.manifest:
            raise ValueError(
                "splits.group names the groups of files in folders; in a manifest the column "
                "`group` does: leave splits.group out"
            )
        return self

    @model_validator(mode="after")
    def _output_is_local(self) -> RunConfig:
        if is_remote(self.output):
            raise ValueError(
                f"output: {self.output} is not a local folder, which the metadata database and the "
                "logs need; use `artifacts` for the components' outputs"
            )
        return self

    @model_validator(mode="after")
    def _paths_hold_no_pattern(self) -> RunConfig:
        paths = {"artifacts" if self.artifacts else "output": self.pipeline_root}
        if "{SPAN}" in self.data.root:
            paths["data.root"] = absolute(self.data.root)
        for name, path in paths.items():
            if found := _PATTERN.search(path):
                raise ValueError(
                    f"{name}: {found[0]!r} in {path} would be read as a file name pattern; rename "
                    "the folder, or choose another one"
                )
        return self

    @model_validator(mode="after")
    def _beam_workers_reach_the_artifacts(self) -> RunConfig:
        check_beam_workers(self.beam, "artifacts", self.artifacts)
        return self

    @property
    def backbones(self) -> tuple[str, ...]:
        """The backbone, and those that a search chooses from."""
        return (self.model.backbone, *(self.tuner.backbones if self.tuner.enabled else ()))

    @property
    def root(self) -> Path:
        """The pipeline's own folder."""
        return Path(self.output) / self.name

    @property
    def metadata(self) -> Path:
        """The ML Metadata database."""
        return self.root / "metadata.sqlite"

    @property
    def pipeline_root(self) -> str:
        """Folder of the components' outputs: TFX's pipeline root."""
        if self.artifacts:
            return absolute(f"{self.artifacts.rstrip('/')}/{self.name}")
        return absolute(str(self.root / "pipeline"))

    @property
    def serving_root(self) -> str:
        """Base path of the pushed models."""
        return self.push.destination or str(self.root / "serving")

    @property
    def traffic_store(self) -> Path:
        """Folder of the traffic store."""
        return Path(self.traffic.store) if self.traffic.store else self.root / "traffic"

    @property
    def judged_by(self) -> JudgeSettings:
        """The `judge` section with an absolute path."""
        unknown = self.judge.unknown and absolute(self.judge.unknown)
        return self.judge.model_copy(update={"unknown": unknown})

    @property
    def audit_settings(self) -> AuditSettings:
        """What the audit of the images has to know."""
        data, tiles = self.data, self.image.as_tiles()
        return AuditSettings(
            layout=data.layout,
            manifest=data.manifest,
            group=self.splits.group,
            classes=data.classes,
            max_pixels=data.max_pixels,
            size=self.image.size * max(tiles.rows, tiles.columns),
            resize=self.image.resize,
            region=self.image.region.model_dump() if self.image.region else None,
        )

    @property
    def read_from(self) -> dict[str, str]:
        """The paths that a run reads, by key."""
        model, files = self.model, {}
        if model.saved_encoder:
            files["model.backbone"] = model.backbone
        if model.weights not in ("imagenet", "none"):
            files["model.weights"] = model.weights
        folders = {
            "data.root": self.data.root,
            "tuner.reuse": self.tuner.reuse,
            "data.unlabelled": self.data.unlabelled,
            "judge.unknown": self.judge.unknown,
        }
        return files | {key: path for key, path in folders.items() if path}

    @property
    def written_to(self) -> dict[str, str]:
        """The paths that a run writes outside its own folder, by key."""
        paths = {
            "artifacts": self.pipeline_root if self.artifacts else None,
            "push.destination": self.push.destination,
        }
        return {key: path for key, path in paths.items() if path}
