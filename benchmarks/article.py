"""The 2019 article's recipe, from `configs/article.yaml`."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.reading import load
from trainer.settings import Model, Training


def article(*overrides: str) -> tuple[Model, Training]:
    """Return its settings, with overrides such as `training.epochs=1`; weights are random."""
    file = Path(__file__).parents[1] / "configs/article.yaml"
    config = load(file, ["model.weights=none", *overrides])
    return config.model, config.training
