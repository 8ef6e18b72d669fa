"""The sections of a configuration that are about images, pairs, the search, and where a model goes.

The others are beside what they set: `trainer.settings`, `judging.settings`,
`pipeline.cluster.settings`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from base.settings import Positive, Section, Share
from trainer.settings import Search


class Data(Section):
    """Where the labelled images are."""

    root: str = Field(
        description="Folder of the images. A folder name such as `span-{SPAN}` takes the "
        "newest span, so that new images arrive beside the old ones."
    )
    layout: Literal["auto", "class_folders", "split_folders", "manifest"] = Field(
        "auto",
        description="`class_folders` is root/class/image, `split_folders` is "
        "root/{train,validation,test}/class/image, `manifest` is a CSV file; `auto` looks.",
    )
    manifest: str | None = Field(
        None,
        description="CSV file, relative to the root, with the columns path, label and "
        "(optional) split; paths are relative to the root.",
    )
    classes: tuple[str, ...] | None = Field(
        None,
        description="The classes there must be, no more and no less. Left out: the folders' "
        "names; with spans, those of the first span.",
    )
    max_unusable: Share = Field(
        0.1, description="Share of files that may be unusable before the run stops."
    )
    max_pixels: Positive = Field(
        100_000_000, description="Largest image, in pixels; larger ones are set aside unread."
    )

    @model_validator(mode="after")
    def _manifest_is_named(self) -> Data:
        if self.layout == "manifest" and not self.manifest:
            raise ValueError("layout 'manifest' needs data.manifest, the name of the CSV file")
        if self.manifest and self.layout not in ("auto", "manifest"):
            raise ValueError(
                f"data.manifest is given but data.layout is {self.layout!r}; "
                "set the layout to 'manifest' or leave it out"
            )
        return self


class Splits(Section):
    """How images are divided. Near-duplicates always stay together."""

    by: Literal["image", "class"] = Field(
        "image",
        description="`image`: each class is divided; `class`: whole classes are kept apart, to "
        "judge on classes never seen in training.",
    )
    train: Share = Field(0.6, gt=0, description="Share of the images to learn from.")
    validation: Share = Field(0.2, gt=0, description="Share to choose by (best epoch, threshold).")
    test: Share = Field(0.2, gt=0, description="Share to judge on; never used for a choice.")
    near_duplicate_bits: int = Field(
        3,
        ge=0,
        le=7,
        description="Two images whose 64-bit perceptual hashes (or mirrored ones) differ in at "
        "most so many bits are near-duplicates.",
    )

    @model_validator(mode="after")
    def _shares_add_up(self) -> Splits:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + validation + test must be 1, not {total:g}")
        return self


class Image(Section):
    """What the network sees."""

    size: int = Field(224, ge=16, le=1024, description="Height and width in pixels.")
    interpolation: Literal["cubic", "linear", "area", "nearest"] = Field(
        "cubic", description="How images are resized."
    )


class TrainingPairs(Section):
    """Pair blocks of the training split."""

    sampling: Literal["class_balanced", "all_pairs", "random_partners"] = Field(
        "class_balanced",
        description="`class_balanced`: blocks of `classes_per_block` x `images_per_class` images "
        "with all their pairs; `all_pairs`: random blocks of `block_size` images with all their "
        "pairs; `random_partners`: plain pairs, each image with `partners` random others (2019).",
    )
    classes_per_block: int = Field(10, ge=2, description="At most; fewer if there are fewer.")
    images_per_class: int = Field(5, ge=2, description="Images of each class in a block.")
    block_size: int = Field(32, ge=2, description="Images in a block of `all_pairs`.")
    partners: Positive = Field(8, description="Partners an image, for `random_partners`.")
    passes: Positive = Field(
        8,
        description="Times that each image is drawn into a block. More passes give more varied "
        "blocks and larger files; `random_partners` makes one.",
    )


class HeldOutPairs(Section):
    """Plain pairs of the validation and test splits."""

    partners: int = Field(
        16, ge=2, description="Pairs an image takes part in: half of the same class, half not."
    )
    max_images: int = Field(
        500, ge=3, description="Images that pairs are drawn from, at most, in each split."
    )


class Pairs(Section):
    """How images become pairs."""

    train: TrainingPairs = TrainingPairs()
    held_out: HeldOutPairs = HeldOutPairs()


class Tuner(Search):
    """Search for hyperparameters before the training; `trainer/search/search_space.py` has them."""

    enabled: bool = False
    reuse: str | None = Field(
        None,
        description="Folder with the `best_hyperparameters.txt` of an earlier search, to train by "
        "it without searching.",
    )

    @model_validator(mode="after")
    def _searches_or_reuses(self) -> Tuner:
        if self.enabled and self.reuse:
            raise ValueError(
                "enabled searches anew and reuse takes what was found before; choose one of them"
            )
        return self


class Push(Section):
    """Where a blessed model goes."""

    destination: str | None = Field(
        None,
        description="Base path that TensorFlow Serving watches; left out: `serving` in the run's "
        "folder. Models go to <destination>/<version>/.",
    )
    infra_check: Literal["auto", "tensorflow", "docker", "embedded"] | None = Field(
        "auto",
        description="The server that must give the model's answers before it is pushed: the first "
        "of these at hand. `null` pushes unserved models.",
    )


class Beam(Section):
    """Apache Beam, which does the data processing."""

    args: tuple[str, ...] = Field(
        ("--runner=DirectRunner", "--direct_running_mode=in_memory"),
        description="Beam's own options, passed to every step that uses Beam; see docs/beam.md.",
    )
