"""The sections of a configuration for images, pairs, search, pushing and Beam.

The others are in `trainer.settings`, `judging.settings` and `pipeline.cluster.settings`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from base.settings import Positive, Section, Share
from components.image_example_gen.groups import check_rule
from storage.file_systems import is_remote
from traffic.settings import Keeping
from trainer.settings import Search, Tiles


class Data(Section):
    """The images."""

    root: str = Field(
        description="Folder of the images. With a folder name such as `span-{SPAN}` it is the "
        "newest span. Each span is a whole data set; `siamese improve` writes the next one."
    )
    layout: Literal["auto", "class_folders", "split_folders", "manifest"] = Field(
        "auto",
        description="`class_folders` is root/class/image, `split_folders` is "
        "root/{train,validation,test}/class/image, `manifest` is a CSV file; `auto` detects the "
        "layout.",
    )
    manifest: str | None = Field(
        None,
        description="CSV file, relative to the root, with the columns path, label and "
        "(optional) split and group; paths are relative to the root.",
    )
    classes: tuple[str, ...] | None = Field(
        None,
        description="The classes that there must be, no more and no less. Default: the folders' "
        "names; with spans, those of the first span. Names that differ in upper and lower case "
        "only are accepted if they are listed here.",
    )
    unlabelled: str | None = Field(
        None,
        description="Folder of further images of the same kind, without classes, outside the root. "
        "They help where few images have a class, if cross-validation says so; images of none of "
        "the classes may be among them. Nothing is judged by them. Needs a frozen encoder "
        "(training.recipe).",
    )
    max_unusable: Share = Field(
        0.1, description="Maximum share of unusable files; with more the run fails."
    )
    max_pixels: Positive = Field(
        100_000_000,
        description="Maximum pixels of an image; larger ones are excluded unread.",
    )

    @model_validator(mode="after")
    def _manifest_is_named(self) -> Data:
        if self.layout == "manifest" and not self.manifest:
            raise ValueError("layout 'manifest' needs data.manifest, the name of the CSV file")
        if self.manifest and self.layout not in ("auto", "manifest"):
            raise ValueError(
                f"data.manifest is given but data.layout is {self.layout!r}; "
                "set the layout to 'manifest' or omit it"
            )
        return self


class Splits(Section):
    """The splits. Near-duplicates, and groups, always stay together."""

    by: Literal["image", "class"] = Field(
        "image",
        description="`image`: the images of each class are split; `class`: whole classes are held "
        "out, to test on classes not seen in training.",
    )
    train: Share = Field(0.6, gt=0, description="Share of the images for training.")
    validation: Share = Field(0.2, gt=0, description="Share for choices (best epoch, thresholds).")
    test: Share = Field(0.2, gt=0, description="Share for judging; never used for a choice.")
    folds: Literal["auto", 2, 3, 4, 5, 6, 7, 8, 9, 10] | None = Field(
        "auto",
        description="Deal the images to this many folds in place of splits: each image is judged "
        "once, by a model that has learned from the other folds, and the final model learns from "
        "all images. Needs a frozen encoder. `auto`: 5 if there are fewer than 30 images a class, "
        "in a local folder, and the shares below are the default; null: splits.",
    )
    group: str | None = Field(
        None,
        description="Which images belong together, such as those of one patient or part: they are "
        "never in two splits, and count as one case in intervals. `sub_folder`: those of one "
        "folder within the class folder; or a regular expression with one capture group, which is "
        "searched in the path within the class folder. In a manifest: the column `group`.",
    )
    near_duplicates: bool = Field(
        True,
        description="Keep copies of an image (recompressed, scaled, cropped by a few per cent, "
        "mirrored) in one split. Turn it off if images that differ are taken for copies; identical "
        "files stay in one split in any case.",
    )

    @field_validator("group")
    @classmethod
    def _group_is_a_rule(cls, rule: str | None) -> str | None:
        if rule is not None:
            check_rule(rule)
        return rule

    @model_validator(mode="after")
    def _shares_add_up(self) -> Splits:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + validation + test must be 1, not {total:g}")
        return self


class ValueRange(Section):
    """Values of images of more than eight bits."""

    low: float = Field(allow_inf_nan=False, description="Becomes black.")
    high: float = Field(allow_inf_nan=False, description="Becomes white.")

    @model_validator(mode="after")
    def _has_a_width(self) -> ValueRange:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        return self


def _kind_of_range(value: Any) -> str | None:
    if value == "auto":
        return "auto"
    return "<values>" if isinstance(value, dict | ValueRange) else None


class Region(Section):
    """A rectangle of an image, in pixels of the upright original."""

    x: int = Field(0, ge=0, description="Left edge.")
    y: int = Field(0, ge=0, description="Upper edge.")
    width: Positive
    height: Positive


class Image(Section):
    """The network's input."""

    size: int = Field(
        224, ge=16, le=1024, description="Height and width in pixels; with `tiles`, of a tile."
    )
    tiles: str | None = Field(
        None,
        pattern=r"^[1-9]x[1-9]$",
        description="Rows x columns, such as 3x3: the image is resized to 3 times the size and cut "
        "into 9 tiles, which the backbone sees one by one; for small defects in large pictures.",
    )
    tile_pooling: Literal["mean", "max"] = Field(
        "mean",
        description="How the features of the tiles become those of the image: `max` where one tile "
        "decides, such as that with the defect.",
    )
    resize: Literal["stretch", "pad", "crop"] = Field(
        "pad",
        description="How an image that is not square becomes square: `stretch` changes its aspect "
        "ratio, `pad` adds a grey border, `crop` cuts off its ends.",
    )
    region: Region | None = Field(
        None, description="What is cut out first, of the pictures of a fixed camera."
    )
    range: Annotated[
        # Tags in angle brackets are left out of messages (`pipeline.config.errors`).
        Annotated[Literal["auto"], Tag("auto")] | Annotated[ValueRange, Tag("<values>")],
        Discriminator(
            _kind_of_range,
            custom_error_type="range",
            custom_error_message="must be auto, or the values that become black and white, such as "
            "{low: 0, high: 4095}",
        ),
    ] = Field(
        "auto",
        description="Values that become black and white in images of more than eight bits; `auto`: "
        "nearly all values of the training images lie between them.",
    )

    @model_validator(mode="after")
    def _pooling_has_tiles(self) -> Image:
        if self.tile_pooling == "max" and self.tiles is None:
            raise ValueError("tile_pooling 'max' needs tiles, such as 3x3; set them or omit it")
        return self

    def as_tiles(self) -> Tiles:
        """Return the tiles of an image; without `tiles`, the image is one."""
        rows, columns = (self.tiles or "1x1").split("x")
        return Tiles(rows=int(rows), columns=int(columns), pooling=self.tile_pooling)

    interpolation: Literal["cubic", "linear", "area", "nearest"] = Field(
        "cubic", description="Interpolation for resizing."
    )


class TrainingPairs(Section):
    """Pair blocks of the training split."""

    sampling: Literal["class_balanced", "all_pairs", "random_partners"] = Field(
        "class_balanced",
        description="`class_balanced`: blocks of `classes_per_block` x `images_per_class` images "
        "with all their pairs; `all_pairs`: random blocks of `block_size` images with all their "
        "pairs; `random_partners`: plain pairs, each image with `partners` random others (2019).",
    )
    classes_per_block: int = Field(10, ge=2, description="Maximum number of classes in a block.")
    images_per_class: int = Field(5, ge=2, description="Images of each class in a block.")
    block_size: int = Field(32, ge=3, description="Images in a block of `all_pairs`.")
    partners: Positive = Field(8, description="Partners per image, for `random_partners`.")
    passes: Positive = Field(
        8,
        description="Number of blocks that each image is drawn into. More passes give more varied "
        "blocks and larger files; `random_partners` makes one.",
    )


class HeldOutPairs(Section):
    """Plain pairs of the validation and test splits."""

    partners: int = Field(
        16, ge=2, description="Pairs per image: half of the same class, half of different classes."
    )
    max_images: int = Field(
        500, ge=3, description="Maximum number of images in the pairs of each split."
    )


class Pairs(Section):
    """The pairs of each split."""

    train: TrainingPairs = TrainingPairs()
    held_out: HeldOutPairs = HeldOutPairs()


class Tuner(Search):
    """Hyperparameter search before the training; see `trainer/search/search_space.py`."""

    enabled: bool = False
    reuse: str | None = Field(
        None,
        description="Folder with the `best_hyperparameters.txt` of an earlier search, to use its "
        "result.",
    )

    @model_validator(mode="after")
    def _searches_or_reuses(self) -> Tuner:
        if self.enabled and self.reuse:
            raise ValueError(
                "enabled starts a search and reuse takes an earlier result; choose one of them"
            )
        return self


class Push(Section):
    """Destination of a blessed model."""

    destination: str | None = Field(
        None,
        description="Base path that TensorFlow Serving watches; models are pushed to "
        "<destination>/<version>/. Default: `serving` in the pipeline's folder.",
    )
    enrolled: Literal["carry_over", "drop"] = Field(
        "carry_over",
        description="Classes that were enrolled in the served model (`siamese enroll`) and that "
        "the training data lacks: `carry_over` gives the new model their images before it is "
        "judged, and does not push it if it lacks any of them; `drop` loses them.",
    )
    infra_check: Literal["auto", "tensorflow", "docker", "embedded"] | None = Field(
        "auto",
        description="Server that must serve the model before it is pushed; `auto` takes the first "
        "that is available. `null`: none must.",
    )


class Traffic(Keeping):
    """What a deployed model was asked and answered (`siamese record`)."""

    store: str | None = Field(
        None,
        description="Local folder of the traffic store. Default: `traffic` in the pipeline's "
        "folder.",
    )

    @field_validator("store")
    @classmethod
    def _store_is_local(cls, store: str | None) -> str | None:
        if store and is_remote(store):
            raise ValueError(f"{store} is not a local folder, which the store's database needs")
        return store


class Beam(Section):
    """Apache Beam, which processes the data."""

    args: tuple[str, ...] = Field(
        ("--runner=DirectRunner", "--direct_running_mode=in_memory"),
        description="Options of Apache Beam for every step that uses it; see docs/beam.md.",
    )
