"""Which hyperparameters the tuner searches, and what they set.

| name | searched | sets |
|---|---|---|
| `training.learning_rate` | a tenth to four times that of the recipe, logarithmic | its peak |
| `training.weight_decay` | 1e-5 to 1e-2, logarithmic | decoupled weight decay |
| `training.blocks_per_step` | 1, 2, 4 | the block shape: pair blocks joined in a step |
| `training.temperature` | 0.05 to 0.5, logarithmic | of the losses that have one |
| `training.margin` | 0.1 to 1 (`cosine_crossentropy`: to 0.8) | of the losses that have one |
| `augmentation_strength` | 0, 0.5, 1, 1.5, 2 | times every amount of the recipe's augmentation |
| `model.embedding_size` | 32, 64, 128, 256 | length of the embedding |
| `model.hidden` | none, 256 | units of the layer before it |
| `model.backbone` | `tuner.backbones`, where it names any | the backbone |

Values that the search does not vary are those of the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainer.settings import Augmentation, Model, Training
from trainer.training.optimizer import peak_learning_rate

WITH_TEMPERATURE = ("supervised_contrastive", "cosine_crossentropy")
WITH_MARGIN = ("cosine_crossentropy", "contrastive_margin", "triplet_semi_hard")


def declare(
    hyperparameters: Any, model: Model, training: Training, backbones: Sequence[str] = ()
) -> None:
    """Declare the space.

    Args:
        hyperparameters: A `keras_tuner.HyperParameters`.
        model: The recipe to search around.
        training: The same.
        backbones: To choose from; none searches no backbone.
    """
    peak = peak_learning_rate(training, model.pretrained)
    hyperparameters.Float(
        "training.learning_rate", peak / 10, peak * 4, sampling="log", default=peak
    )
    hyperparameters.Float("training.weight_decay", 1e-5, 1e-2, sampling="log", default=5e-4)
    hyperparameters.Choice("training.blocks_per_step", [1, 2, 4], default=1)
    if training.loss in WITH_TEMPERATURE:
        hyperparameters.Float("training.temperature", 0.05, 0.5, sampling="log", default=0.1)
    if training.loss in WITH_MARGIN:
        most = 0.8 if training.loss == "cosine_crossentropy" else 1.0
        hyperparameters.Float("training.margin", 0.1, most, default=0.5)
    if training.augmentation is not None:
        hyperparameters.Choice("augmentation_strength", [0.0, 0.5, 1.0, 1.5, 2.0], default=1.0)
    if model.embedding_size is not None:
        hyperparameters.Choice("model.embedding_size", [32, 64, 128, 256], default=128)
    hyperparameters.Choice("model.hidden", [0, 256], default=0)
    if backbones:
        hyperparameters.Choice("model.backbone", list(backbones), default=backbones[0])


def apply(values: Mapping[str, Any], model: Model, training: Training) -> tuple[Model, Training]:
    """The recipe with hyperparameters in place of what it said.

    Args:
        values: By name, as `declare` names them; others, such as Hyperband's own, are left out.
        model: The recipe.
        training: The same.
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
    """Every amount times `strength`, as far as it may go; flips stay as they are."""
    most = {"rotation": 180.0}
    return augmentation.model_copy(
        update={
            name: min(most.get(name, 0.99), value * strength)
            for name, value in augmentation.model_dump().items()
            if not isinstance(value, bool)
        }
    )
