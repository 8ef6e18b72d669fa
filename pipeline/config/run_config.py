"""The configuration of a run, as an immutable model: what there is to set, and what goes together.

`pipeline.config.reading` reads one from a YAML file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from base.settings import Section
from judging.settings import JudgeSettings, Thresholds
from pipeline.cluster.settings import Kubeflow
from pipeline.config.sections import Beam, Data, Image, Pairs, Push, Splits, Tuner
from storage.file_systems import absolute, is_remote
from trainer.settings import Model, Training

_PATTERN = re.compile(r"[*?\[\]]")


class RunConfig(Section):
    """Everything that describes a run."""

    name: str = Field(
        "siamese",
        pattern=r"^[a-z][a-z0-9-]{0,62}$",
        description="Of the pipeline: lower-case letters, digits and hyphens (Kubeflow's rule).",
    )
    output: str = Field(
        "runs",
        description="Folder for the pipelines' files; each gets one by its name. It is local: "
        "`artifacts` says where what the components make goes, if elsewhere.",
    )
    artifacts: str | None = Field(
        None,
        description="Folder for what the components make, such as gs://bucket/folder or "
        "s3://bucket/folder; each pipeline gets one by its name. Left out: `pipeline` in the "
        "pipeline's own folder. See docs/storage.md.",
    )
    data: Data
    splits: Splits = Splits()
    image: Image = Image()
    pairs: Pairs = Pairs()
    model: Model = Model()
    training: Training = Training()
    tuner: Tuner = Tuner()
    thresholds: Thresholds | None = Field(
        Thresholds(), description="null: the model is measured, and never blessed."
    )
    judge: JudgeSettings = JudgeSettings()
    push: Push = Push()
    runner: Literal["beam", "local"] = "beam"
    beam: Beam = Beam()
    kubeflow: Kubeflow = Kubeflow()
    cache: bool = Field(True, description="Reuse the outputs of unchanged steps.")
    seed: int = Field(0, ge=0, description="Of the splits and the pairs.")

    @model_validator(mode="after")
    def _judges_what_it_asks_for(self) -> RunConfig:
        asked = self.thresholds
        if asked and asked.beats_pretrained_encoder and not self.judge.reference_methods:
            raise ValueError(
                "thresholds.beats_pretrained_encoder needs judge.reference_methods; set that to "
                "true, or leave the threshold out"
            )
        return self

    @model_validator(mode="after")
    def _unknown_is_no_class(self) -> RunConfig:
        unknown, listed = self.judge.unknown, self.data.manifest
        if not unknown or listed:
            return self
        root, folder = (os.path.abspath(path) for path in (self.data.root, unknown))
        if os.path.commonpath([root, folder]) == root:
            raise ValueError(
                f"judge.unknown {unknown!r} is in data.root, whose folders are classes; move it "
                "beside that"
            )
        return self

    @model_validator(mode="after")
    def _keeps_its_own_files_here(self) -> RunConfig:
        if is_remote(self.output):
            raise ValueError(
                f"output: {self.output} is no local folder, which the metadata database and the "
                "logs need; say `artifacts` for what the components make"
            )
        return self

    @model_validator(mode="after")
    def _names_no_pattern(self) -> RunConfig:
        spans = self.data.root if "{SPAN}" in self.data.root else ""
        key = "artifacts" if self.artifacts else "output"
        for name, path in ((key, self.pipeline_root), ("data.root", absolute(spans))):
            if found := _PATTERN.search(path):
                raise ValueError(
                    f"{name}: {found[0]!r} in {path} would be read as part of a pattern of file "
                    "names; rename the folder, or choose another one"
                )
        return self

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
        """Where the components' outputs go: TFX's pipeline root."""
        if self.artifacts:
            return absolute(f"{self.artifacts.rstrip('/')}/{self.name}")
        return absolute(str(self.root / "pipeline"))

    @property
    def serving_root(self) -> str:
        """Base path of the pushed models."""
        return self.push.destination or str(self.root / "serving")

    @property
    def judged_by(self) -> JudgeSettings:
        """The `judge` section, whose folder is named from any place."""
        unknown = self.judge.unknown and absolute(self.judge.unknown)
        return self.judge.model_copy(update={"unknown": unknown})

    @property
    def addresses(self) -> tuple[str, ...]:
        """Whatever may be on another file system, of a run here or on a cluster."""
        cluster = self.kubeflow.pipeline_root or ""
        return (*self.read_from.values(), *self.written_to.values(), cluster)

    @property
    def read_from(self) -> dict[str, str]:
        """What a run reads, by key: paths and addresses, no other values."""
        model, files = self.model, {}
        if model.saved_encoder:
            files["model.backbone"] = model.backbone
        if model.weights not in ("imagenet", "none"):
            files["model.weights"] = model.weights
        folders = {
            "data.root": self.data.root,
            "tuner.reuse": self.tuner.reuse,
            "judge.unknown": self.judge.unknown,
        }
        return files | {key: path for key, path in folders.items() if path}

    @property
    def written_to(self) -> dict[str, str]:
        """What a run writes, by key, but for what is kept in its own folder."""
        paths = {
            "artifacts": self.pipeline_root if self.artifacts else None,
            "push.destination": self.push.destination,
        }
        return {key: path for key, path in paths.items() if path}
