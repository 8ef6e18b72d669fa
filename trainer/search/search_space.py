"""The hyperparameters that the tuner searches.

| name | searched | sets |
|---|---|---|
| `training.learning_rate` | a tenth to four times the configured one, logarithmic | its peak |
| `training.weight_decay` | 1e-5 to 1e-2, logarithmic | decoupled weight decay |
| `training.blocks_per_step` | 1, 2, 4 | pair blocks joined in a step |
| `training.temperature` | 0.05 to 0.5, logarithmic | if the loss has one |
| `training.even_cosine` | 0.1 to 0.8 | of `cosine_crossentropy` |
| `training.distance_margin` | 0.1 to 1 | of `contrastive_margin` |
| `training.triplet_margin` | 0.1 to 1 | of `triplet_semi_hard` |
| `augmentation_strength` | 0, 0.5, 1, 1.5, 2 | factor for the configured augmentation |
| `model.embedding_size` | 32, 64, 128, 256 | length of the embedding |
| `model.hidden` | none, 256 | units of the layer before the embedding |
| `model.backbone` | `tuner.backbones`, if it names any | the backbone |

All other values are those of the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainer.settings import Augmentation, Model, Training
from trainer.training.optimizer import peak_learning_rate

WITH_TEMPERATURE = ("supervised_contrastive", "cosine_crossentropy")
MARGINS = {
    "cosine_crossentropy": ("training.even_cosine", 0.8),
    "contrastive_margin": ("training.distance_margin", 1.0),
    "triplet_semi_hard": ("training.triplet_margin", 1.0),
}
"""By loss: the margin that it has, and the largest value that is searched."""


def declare(
    hyperparameters: Any, model: Model, training: Training, backbones: Sequence[str] = ()
) -> None:
    """Declare the space.

    Args:
        hyperparameters: A `keras_tuner.HyperParameters`.
        model: The configured `model` section.
        training: The configured `training` section.
        backbones: To choose from; empty: `model.backbone` is not searched.
    """
    peak = peak_learning_rate(training, model.pretrained)
    hyperparameters.Float(
        "training.learning_rate", peak / 10, peak * 4, sampling="log", default=peak
    )
    hyperparameters.Float("training.weight_decay", 1e-5, 1e-2, sampling="log", default=5e-4)
    hyperparameters.Choice("training.blocks_per_step", [1, 2, 4], default=1)
    if training.loss in WITH_TEMPERATURE:
        hyperparameters.Float("training.temperature", 0.05, 0.5, sampling="log", default=0.1)
    if training.loss in MARGINS:
        name, most = MARGINS[training.loss]
        hyperparameters.Float(name, 0.1, most, default=0.5)
    if training.augmentation is not None:
        hyperparameters.Choice("augmentation_strength", [0.0, 0.5, 1.0, 1.5, 2.0], default=1.0)
    if model.embedding_size is not None:
        hyperparameters.Choice("model.embedding_size", [32, 64, 128, 256], default=128)
    hyperparameters.Choice("model.hidden", [0, 256], default=0)
    if backbones:
        hyperparameters.Choice("model.backbone", list(backbones), default=backbones[0])


def apply(values: Mapping[str, Any], model: Model, training: Training) -> tuple[Model, Training]:
    """Return the configured sections with hyperparameters put in.

    Args:
        values: By the names of `declare`; others, such as Hyperband's own, are ignored.
        model: The configured `model` section.
        training: The configured `training` section.
    """
    changes: dict[str, dict[str, Any]] = {"model": {}, "training": {}}
    for name, value in values.items():
        section, _, key = name.partition(".")
        if key and section in changes:
            changes[section][key] = value
    if "hidden" in changes["model"]:
        units = changes["model"]["hidden"]
        changes["model"]["hidden"] = (units,) if units else ()
    if "augmentation_strength" in values and training.augmentation is not None:
        changes["training"]["augmentation"] = _scaled(
            training.augmentation, float(values["augmentation_strength"])
        )
    return (
        Model.model_validate({**model.model_dump(), **changes["model"]}),
        Training.model_validate({**training.model_dump(), **changes["training"]}),
    )


def _scaled(augmentation: Augmentation, strength: float) -> Augmentation:
    """Every amount times `strength`, up to its limit; flips are unchanged."""
    most = {"rotation": 180.0}
    return augmentation.model_copy(
        update={
            name: min(most.get(name, 0.99), value * strength)
            for name, value in augmentation.model_dump().items()
            if not isinstance(value, bool)
        }
    )
