"""Settings of the network, its training and the search: the `model`, `training`, `tuner` sections.

Imports neither TFX nor Keras, so that checking a configuration is fast.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from pydantic import Field, model_validator

from base.settings import Positive, Section, Share

Size: TypeAlias = "int | tuple[int, int]"
"""Height and width of pixels; one number if they are equal."""


def pixel_shape(size: Size) -> tuple[int, int, int]:
    """Return the shape of RGB pixels of a size."""
    height, width = (size, size) if isinstance(size, int) else size
    return height, width, 3


class Tiles(Section):
    """How an image is cut into tiles, which the backbone sees one by one.

    Attributes:
        rows: Tiles above each other.
        columns: Tiles beside each other.
        pooling: How the features of the tiles become those of the image.
    """

    rows: Positive = 1
    columns: Positive = 1
    pooling: Literal["mean", "max"] = "mean"

    def size(self, tile: int) -> tuple[int, int]:
        """Return height and width of an image whose tiles have a height and width of `tile`."""
        return self.rows * tile, self.columns * tile


ONE_TILE = Tiles()


LARGEST_FOR_CONV4 = 100
"""Pixels; from scratch it told digits of 32 pixels apart better than ResNet-50."""


class ArticleModel(Section):
    """What only the network of the 2019 article sets (`configs/article.yaml`)."""

    normalize: bool = Field(True, description="L2-normalize the embedding.")
    embedding_activation: Literal["linear", "sigmoid"] = "linear"
    batch_norm_momentum: float = Field(
        0.9,
        gt=0,
        lt=1,
        description="From scratch; Keras' 0.99 leaves stale statistics after a short training.",
    )


class Model(Section):
    """The Siamese network."""

    backbone: str = Field(
        "auto",
        description="`auto`: ResNet50, or from scratch on images of up to 100 pixels `Conv4`, the "
        "small network of the few-shot papers; any image model of keras.applications; DINOv2 and "
        "DINOv3 of KerasHub, such as `dinov2_small` (extra `keras-hub`); or the path of a saved "
        "encoder (`.keras`), which is code: load only files that you trust.",
    )
    weights: str = Field(
        "imagenet",
        description="`imagenet` (of KerasHub's: the preset's own), `none` (train from scratch), or "
        "the path of a weights file.",
    )
    value_range: tuple[float, float] = Field(
        (0.0, 255.0),
        description="Of a saved encoder: the values that it takes for black and white, such as "
        "`[0, 1]` or `[-1, 1]`. Other backbones have their normalization.",
    )
    pooling: Literal["avg", "max", "flatten"] = Field(
        "avg", description="How the backbone's feature map, or its tokens, become a vector."
    )
    hidden: tuple[Positive, ...] = Field(
        (), description="Units of dense ReLU layers between pooling and embedding."
    )
    embedding_size: int | None = Field(
        128, ge=2, description="Length of the embedding; null uses the pooled features as they are."
    )
    batch_norm: Literal["auto", "trained", "frozen"] = Field(
        "auto",
        description="`trained` updates the statistics with each batch; `frozen` keeps pretrained "
        "statistics, which small batches would spoil; `auto` freezes those of a pretrained "
        "backbone.",
    )
    article: ArticleModel = Field(
        ArticleModel(), description="Only for the 2019 article's recipe (configs/article.yaml)."
    )

    def for_size(self, image_size: int) -> Model:
        """Return these settings with a backbone in place of `auto`, for images of a size."""
        if self.backbone != "auto":
            return self
        small = not self.pretrained and image_size <= LARGEST_FOR_CONV4
        return self.model_copy(update={"backbone": "Conv4" if small else "ResNet50"})

    @property
    def pretrained(self) -> bool:
        """Whether the backbone starts from pretrained weights."""
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
    def _range_of_a_saved_encoder(self) -> Model:
        low, high = self.value_range
        if not low < high:
            raise ValueError(f"value_range [{low:g}, {high:g}]: the first value must be smaller")
        if (low, high) != (0, 255) and not self.saved_encoder:
            raise ValueError(
                f"value_range is that of a saved encoder, and backbone {self.backbone!r} has its "
                "own normalization; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _activation_has_a_layer(self) -> Model:
        if self.embedding_size is None and self.article.embedding_activation != "linear":
            raise ValueError(
                f"article.embedding_activation {self.article.embedding_activation!r} needs an "
                "embedding_size; null uses the pooled features as they are"
            )
        return self


class Augmentation(Section):
    """Random changes to training images that keep their class. Off at inference."""

    rotation: float = Field(8.0, ge=0, le=180, description="Degrees, either way.")
    scale: float = Field(0.1, ge=0, lt=1, description="Fraction, larger or smaller.")
    shift: float = Field(0.08, ge=0, lt=1, description="Fraction of the image size, either way.")
    horizontal_flip: bool = Field(False, description="Only if a mirrored image keeps its class.")
    vertical_flip: bool = False
    brightness: float = Field(0.0, ge=0, lt=1, description="Fraction, brighter or darker.")
    contrast: float = Field(0.0, ge=0, lt=1, description="Fraction, more or less.")
    saturation: float = Field(0.0, ge=0, lt=1, description="Fraction, more or less colour.")


class Calibration(Section):
    """How the served model's thresholds are chosen on the validation split.

    null: the equal error rate, at which false positives and false negatives are equally frequent.
    """

    same_false_accepts: Share | None = Field(
        None, description="Share of different-class pairs that may be called the same."
    )
    known_false_accepts: Share | None = Field(
        None, description="Share of images of unknown classes that may be called known."
    )


class ArticleTraining(Section):
    """What only the training of the 2019 article sets (`configs/article.yaml`)."""

    two_passes: bool = Field(
        False,
        description="Encode the images of every pair in two passes, left and right: the reference "
        "for speed, 15 to 39 times slower.",
    )
    inverse_time_decay: float | None = Field(
        None, ge=0, description="Learning rate / (1 + decay * step), in place of `schedule`."
    )


class Training(Section):
    """How the network is trained."""

    recipe: Literal["auto", "frozen_encoder", "fine_tuned"] = Field(
        "auto",
        description="`frozen_encoder`: a closed-form head on features of the pretrained encoder, "
        "which sees each image once; `fine_tuned`: all weights are trained, by the settings below; "
        "`auto`: the frozen encoder if there are pretrained weights, and fine-tuning too if more "
        "than 5 % are wrong in cross-validation.",
    )
    views: Literal["auto", 1, 2, 4] = Field(
        "auto",
        description="For `frozen_encoder`: views of an image whose features are averaged: itself, "
        "2: and its mirror image, 4: and both upside down; `auto`: more than one if that is more "
        "accurate in cross-validation.",
    )

    loss: Literal[
        "supervised_contrastive",
        "cosine_crossentropy",
        "contrastive_margin",
        "triplet_semi_hard",
        "binary_crossentropy",
    ] = Field(
        "supervised_contrastive",
        description="Loss on the embeddings (one file each in trainer/network/losses/); "
        "`binary_crossentropy` trains through a head that compares pairs (2019).",
    )
    temperature: float = Field(
        0.1, gt=0, description="For `supervised_contrastive` and `cosine_crossentropy`."
    )
    even_cosine: float = Field(
        0.5, gt=-1, lt=1, description="For `cosine_crossentropy`: cosine of an undecided pair."
    )
    distance_margin: float = Field(
        0.5, gt=0, description="For `contrastive_margin`: distance to keep between classes."
    )
    triplet_margin: float = Field(
        0.5, gt=0, description="For `triplet_semi_hard`: difference of squared distances to keep."
    )
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="Peak learning rate; null: 0.05 from scratch, 0.005 for a pretrained backbone "
        "(`adamw`: a fiftieth of that).",
    )
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: Share = Field(
        0.05, description="For `cosine`: share of the steps in which the learning rate rises."
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="Nesterov momentum of `sgd`.")
    weight_decay: float = Field(0.0005, ge=0, description="Decoupled; kernels only.")
    clip_norm: float | None = Field(
        10.0,
        gt=0,
        description="Gradients of all devices together are scaled down to this global norm; null: "
        "no clipping. At first all embeddings are alike, and one large step can keep them so.",
    )
    epochs: Positive = Field(10, description="Maximum passes over the pair blocks.")
    frozen_epochs: int | None = Field(
        None,
        ge=0,
        description="First epochs in which the backbone is frozen and only the layers after it are "
        "trained; equal to `epochs`, it stays frozen throughout; null: 1 for a pretrained backbone "
        "with `sgd`, if there are such layers and 3 `epochs` or more, else 0.",
    )
    last_blocks_epochs: int | None = Field(
        None,
        ge=0,
        description="Epochs after those in which the last third of the backbone's layers is "
        "trained too; then all are; null: a third of `epochs`, and at most half of those that "
        "follow, for a pretrained backbone with `sgd`, else 0.",
    )
    blocks_per_step: Positive = Field(
        1, description="Pair blocks in a step of each device; plain pairs: the batch size."
    )
    keep: Literal["best", "last"] = Field(
        "best",
        description="Keep the weights of the epoch with the best validation few-shot accuracy "
        "(ties: the best AUC), or of the last epoch.",
    )
    patience: int = Field(
        0, ge=0, description="Stop after this many epochs without improvement; 0: never."
    )
    refit: bool = Field(
        False,
        description="Once the epoch is chosen, train again from the start, for as many epochs, on "
        "the training and validation images; thresholds stay those of the first training. Twice "
        "the time. A frozen encoder learns from the validation images anyway.",
    )
    mixed_precision: Literal["none", "float16", "bfloat16"] = Field(
        "none",
        description="Compute in 16 bits where that is safe; weights stay float32. For GPUs.",
    )
    augmentation: Augmentation | None = Augmentation()
    calibration: Calibration = Calibration()
    article: ArticleTraining = Field(
        ArticleTraining(), description="Only for the 2019 article's recipe (configs/article.yaml)."
    )

    @model_validator(mode="after")
    def _settings_fit(self) -> Training:
        for key in ("frozen_epochs", "last_blocks_epochs"):
            if (given := getattr(self, key) or 0) > self.epochs:
                raise ValueError(
                    f"{key} {given} is more than epochs {self.epochs}; give {self.epochs} at most"
                )
        if self.article.two_passes and self.loss != "binary_crossentropy":
            raise ValueError(
                "article.two_passes needs the 2019 article's loss: set loss to "
                "'binary_crossentropy'"
            )
        return self


LOSSES = get_args(Training.model_fields["loss"].annotation)

COMPARES_IMAGES = ("supervised_contrastive", "triplet_semi_hard")
"""Losses that compare each image with several others of its step: a single pair has no gradient."""

_ANY_LENGTH = ("contrastive_margin", "binary_crossentropy")


def has_new_layers(model: Model, training: Training) -> bool:
    """Return whether layers with weights follow the backbone."""
    head = training.loss == "binary_crossentropy"
    return head or bool(model.hidden) or model.embedding_size is not None


def check_recipe(model: Model, training: Training) -> None:
    """Refuse a recipe that the network does not allow.

    Raises:
        ValueError: The message says which values fit.
    """
    if training.frozen_epochs and not has_new_layers(model, training):
        raise ValueError(
            f"training.frozen_epochs {training.frozen_epochs} trains only the layers after the "
            "backbone, and there are none: set it to 0, or give model.embedding_size"
        )
    if training.recipe != "frozen_encoder":
        return
    if training.refit:
        raise ValueError(
            "training.refit trains all weights again, and training.recipe 'frozen_encoder' keeps "
            "them and learns from the validation images anyway; leave refit out"
        )
    if not model.pretrained:
        raise ValueError(
            "training.recipe 'frozen_encoder' needs a pretrained encoder, and model.weights is "
            "'none'; name weights or a saved encoder (model.backbone), or set the recipe to 'auto'"
        )
    if training.loss == "binary_crossentropy":
        raise ValueError(
            "training.loss 'binary_crossentropy' trains the encoder, which training.recipe "
            "'frozen_encoder' keeps; leave one of them out"
        )


def check_loss(model: Model, training: Training, sampling: str) -> None:
    """Refuse a loss that cannot learn from these embeddings or pairs.

    Args:
        model: The `model` section of the configuration.
        training: The `training` section.
        sampling: `pairs.train.sampling`.

    Raises:
        ValueError: The message says which values fit.
    """
    loss = training.loss
    if not model.article.normalize and loss not in _ANY_LENGTH:
        raise ValueError(
            f"training.loss {loss!r} needs embeddings of unit length; set model.article.normalize "
            f"to true, or the loss to {' or '.join(map(repr, _ANY_LENGTH))}"
        )
    if sampling == "random_partners" and loss in COMPARES_IMAGES:
        others = [name for name in LOSSES if name not in COMPARES_IMAGES]
        raise ValueError(
            f"training.loss {loss!r} compares each image with several others, and a pair of "
            "pairs.train.sampling 'random_partners' has none; set the sampling to "
            f"'class_balanced' or 'all_pairs', or the loss to {' or '.join(map(repr, others))}"
        )


class Search(Section):
    """A search for hyperparameters with KerasTuner."""

    algorithm: Literal["random", "hyperband", "bayesian"] = Field(
        "bayesian",
        description="`random`; `hyperband` (Li et al. 2018), which stops poor trials early; "
        "`bayesian`, which learns from earlier trials.",
    )
    trials: Positive = Field(
        10, description="Number of trials; `hyperband` has a budget of its own."
    )
    epochs: Positive | None = Field(
        None, description="Maximum epochs of a trial; null: `training.epochs`."
    )
    backbones: tuple[str, ...] = Field(
        (), description="Backbones to choose from; empty: `model.backbone` alone."
    )
    parallel_trials: Positive = Field(
        1, description="Concurrent trials, one process each; with GPUs, one GPU per process."
    )
