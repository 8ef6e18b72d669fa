"""What can be set about the network and its training: the `model` and `training` sections.

Imports neither TFX nor Keras, so that a configuration is checked in an instant.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Section(BaseModel):
    """A part of the configuration: immutable, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Model(Section):
    """The Siamese network."""

    backbone: str = Field(
        "ResNet50", description="Any image model of keras.applications, or a saved encoder's path."
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
    embedding_size: Positive = Field(128, description="Length of the embedding.")
    embedding_activation: Literal["linear", "sigmoid", "relu"] = "linear"
    normalize: bool = Field(True, description="L2-normalize the embedding.")
    batch_norm_momentum: float = Field(
        0.9,
        gt=0,
        lt=1,
        description="Of the backbone's batch normalization when trained from scratch; Keras' own "
        "0.99 leaves stale statistics after a short training.",
    )


class Augmentation(Section):
    """Random changes to training images that keep their class. All off at inference."""

    rotation: float = Field(8.0, ge=0, le=180, description="Degrees, either way.")
    scale: float = Field(0.1, ge=0, lt=1, description="Share, larger or smaller.")
    shift: float = Field(0.08, ge=0, lt=1, description="Share of the image's size, either way.")
    horizontal_flip: bool = Field(False, description="Only where a mirrored image is the same.")
    vertical_flip: bool = False
    brightness: float = Field(0.0, ge=0, lt=1, description="Share, brighter or darker.")
    contrast: float = Field(0.0, ge=0, lt=1, description="Share, more or less.")


class Training(Section):
    """How the network learns."""

    loss: Literal["supervised_contrastive", "binary_crossentropy"] = Field(
        "supervised_contrastive",
        description="`supervised_contrastive` (Khosla et al. 2020) on the embeddings, with the "
        "pair head trained beside it; `binary_crossentropy` on the pair head alone (2019).",
    )
    temperature: float = Field(0.1, gt=0, description="Of the contrastive loss.")
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = Field(0.05, gt=0, description="At its highest.")
    schedule: Literal["cosine", "inverse_time", "constant"] = "cosine"
    decay: float = Field(0.01, ge=0, description="Of `inverse_time`: rate / (1 + decay * step).")
    warmup: Share = Field(0.05, description="Share of the steps in which the rate rises.")
    momentum: float = Field(0.9, ge=0, lt=1, description="Nesterov momentum of `sgd`.")
    weight_decay: float = Field(0.0005, ge=0, description="Decoupled; kernels only.")
    epochs: Positive = Field(10, description="Passes over the pair blocks, at most.")
    blocks_per_step: Positive = Field(1, description="Pair blocks in a step; plain pairs: a batch.")
    patience: int = Field(0, ge=0, description="Epochs without a better validation AUC; 0: off.")
    augmentation: Augmentation | None = Augmentation()
    seed: int = Field(0, ge=0)
