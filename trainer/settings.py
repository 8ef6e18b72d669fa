"""What can be set about the network and its training: the `model` and `training` sections.

Imports neither TFX nor Keras, so that a configuration is checked in an instant.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from base.settings import Positive, Section, Share


class Model(Section):
    """The Siamese network."""

    backbone: str = Field(
        "ResNet50",
        description="Any image model of keras.applications; `Conv4`, the small network of the "
        "few-shot papers, for images of up to 100 pixels; or the path of a saved encoder.",
    )
    weights: str = Field(
        "imagenet",
        description="`imagenet`, `none` (from scratch), or a path to a weights file.",
    )
    pooling: Literal["avg", "max", "flatten"] = Field(
        "avg", description="How the backbone's feature map becomes a vector."
    )
    hidden: tuple[Positive, ...] = Field(
        (), description="Units of dense ReLU layers between pooling and embedding."
    )
    embedding_size: Positive | None = Field(
        128, description="Length of the embedding; null takes the pooled features as they are."
    )
    embedding_activation: Literal["linear", "sigmoid", "relu"] = "linear"
    normalize: bool = Field(True, description="L2-normalize the embedding.")
    batch_norm: Literal["auto", "trained", "frozen"] = Field(
        "auto",
        description="`trained` learns from each batch; `frozen` keeps pretrained statistics, which "
        "small batches would spoil; `auto` freezes those of a pretrained backbone.",
    )
    batch_norm_momentum: float = Field(
        0.9,
        gt=0,
        lt=1,
        description="Of the backbone's batch normalization when trained from scratch; Keras' own "
        "0.99 leaves stale statistics after a short training.",
    )

    @property
    def pretrained(self) -> bool:
        """Whether the backbone brings weights from elsewhere."""
        return self.weights != "none" or self.saved_encoder

    @property
    def saved_encoder(self) -> bool:
        """Whether the backbone is a file, which brings its own weights."""
        return self.backbone.endswith((".keras", ".h5")) or "/" in self.backbone

    @property
    def freezes_batch_norm(self) -> bool:
        """Whether batch normalization keeps its statistics."""
        return self.batch_norm == "frozen" or (self.batch_norm == "auto" and self.pretrained)

    @model_validator(mode="after")
    def _embedding_of_features_is_plain(self) -> Model:
        if self.embedding_size is None and self.embedding_activation != "linear":
            raise ValueError(
                f"embedding_activation {self.embedding_activation!r} needs an embedding_size; "
                "null takes the pooled features as they are"
            )
        return self


class Augmentation(Section):
    """Random changes to training images that keep their class. All off at inference."""

    rotation: float = Field(8.0, ge=0, le=180, description="Degrees, either way.")
    scale: float = Field(0.1, ge=0, lt=1, description="Share, larger or smaller.")
    shift: float = Field(0.08, ge=0, lt=1, description="Share of the image's size, either way.")
    horizontal_flip: bool = Field(False, description="Only where a mirrored image is the same.")
    vertical_flip: bool = False
    brightness: float = Field(0.0, ge=0, lt=1, description="Share, brighter or darker.")
    contrast: float = Field(0.0, ge=0, lt=1, description="Share, more or less.")
    saturation: float = Field(0.0, ge=0, lt=1, description="Share, more or less colour.")


class Calibration(Section):
    """How the served model's thresholds are chosen on the validation split.

    null: the equal error rate, at which both kinds of error are as frequent.
    """

    same_false_accepts: Share | None = Field(
        None, description="Share of pairs of different classes that may be called the same."
    )
    known_false_accepts: Share | None = Field(
        None, description="Share of images of unknown classes that may be called known."
    )


class Training(Section):
    """How the network learns."""

    loss: Literal[
        "supervised_contrastive",
        "cosine_crossentropy",
        "contrastive_margin",
        "triplet_semi_hard",
        "binary_crossentropy",
    ] = Field(
        "supervised_contrastive",
        description="On the embeddings, with the pair head trained beside it (each has a file in "
        "trainer/network/losses/); `binary_crossentropy` is on the pair head alone (2019).",
    )
    temperature: float = Field(
        0.1, gt=0, description="Of `supervised_contrastive` and `cosine_crossentropy`."
    )
    margin: float = Field(
        0.5,
        gt=0,
        description="`cosine_crossentropy`: the cosine at which a pair is called even; "
        "`contrastive_margin`: the distance to keep between classes; `triplet_semi_hard`: by how "
        "much the squared distance to another class exceeds that to the own.",
    )
    encoding: Literal["each_image_once", "each_side"] = Field(
        "each_image_once",
        description="`each_side` encodes the left and the right image of every pair in two passes, "
        "as in 2019: the yardstick, 15 to 39 times slower.",
    )
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="At its highest; null: 0.05 from scratch, 0.005 for a pretrained backbone "
        "(`adamw`: a fiftieth of that).",
    )
    schedule: Literal["cosine", "inverse_time", "constant"] = "cosine"
    decay: float = Field(0.01, ge=0, description="Of `inverse_time`: rate / (1 + decay * step).")
    warmup: Share = Field(0.05, description="Share of the steps in which the rate rises.")
    momentum: float = Field(0.9, ge=0, lt=1, description="Nesterov momentum of `sgd`.")
    weight_decay: float = Field(0.0005, ge=0, description="Decoupled; kernels only.")
    clip_norm: float | None = Field(
        10.0,
        gt=0,
        description="Gradients are scaled down to this global norm; null: not. At first all "
        "embeddings are alike, and one large step can leave them so.",
    )
    epochs: Positive = Field(10, description="Passes over the pair blocks, at most.")
    frozen_epochs: int = Field(
        0,
        ge=0,
        description="First epochs in which the backbone keeps its weights and only the layers "
        "after it learn; as many as `epochs` keep it frozen throughout.",
    )
    blocks_per_step: Positive = Field(
        1, description="Pair blocks in a step of each device; plain pairs: a batch."
    )
    keep: Literal["best", "last"] = Field(
        "best",
        description="The weights of the epoch with the best validation few-shot accuracy (of equal "
        "ones, the best AUC), or the last epoch's.",
    )
    patience: int = Field(
        0, ge=0, description="Epochs without a better one before it stops; 0: never."
    )
    mixed_precision: Literal["none", "float16", "bfloat16"] = Field(
        "none",
        description="Computes in 16 bits where that is safe; weights stay float32. For GPUs.",
    )
    augmentation: Augmentation | None = Augmentation()
    calibration: Calibration = Calibration()
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _settings_fit(self) -> Training:
        if self.frozen_epochs > self.epochs:
            raise ValueError(
                f"frozen_epochs {self.frozen_epochs} is more than epochs {self.epochs}; "
                f"give {self.epochs} at most"
            )
        if self.loss == "cosine_crossentropy" and self.margin >= 1:
            raise ValueError(f"margin {self.margin:g} is no cosine below 1, as this loss takes it")
        if self.encoding == "each_side" and self.loss != "binary_crossentropy":
            raise ValueError(
                "encoding 'each_side' is the 2019 article's and goes with its loss: "
                "set loss to 'binary_crossentropy'"
            )
        return self


class Search(Section):
    """A search for hyperparameters with KerasTuner."""

    algorithm: Literal["random", "hyperband", "bayesian"] = Field(
        "bayesian",
        description="`random`; `hyperband` (Li et al. 2018), which gives up on poor ones early; "
        "`bayesian`, which learns from the trials before.",
    )
    trials: Positive = Field(
        10, description="Sets of hyperparameters to try; Hyperband's own budget decides for it."
    )
    epochs: Positive | None = Field(
        None, description="Of a trial, at most; null: as many as of a training."
    )
    backbones: tuple[str, ...] = Field(
        (), description="Backbones to choose from; left out: `model.backbone` alone."
    )
    parallel_trials: Positive = Field(
        1, description="Trials at once, a process each; with GPUs, one process to a GPU."
    )
