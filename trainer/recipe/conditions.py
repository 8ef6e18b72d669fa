"""When only fine-tuning can be used. Imports neither TFX nor Keras."""

from __future__ import annotations

from trainer.settings import Model, Training


def only_fine_tuning(model: Model, training: Training, searched: bool = False) -> str:
    """Return why all weights are trained, in words, or an empty text.

    Args:
        model: The `model` section of the configuration.
        training: The `training` section.
        searched: Whether the settings are a tuner's, which searches those of fine-tuning.
    """
    if training.recipe == "fine_tuned":
        return "the configuration asks for it"
    if training.recipe == "frozen_encoder":
        return ""
    if searched:
        return "the hyperparameters are those of fine-tuning"
    if not model.pretrained:
        return "there are no pretrained weights"
    if not model.article.normalize or training.loss == "binary_crossentropy":
        return "the pair head trains the encoder (2019)"
    if model.pooling == "flatten":
        return "flattened features are too many for a closed-form head"
    return ""
