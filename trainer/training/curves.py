"""Draws a training's learning curves."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

_PANELS = {
    "Loss": {"training": "loss"},
    "AUC of the pairs": {"training": "auc", "validation": "val_auc"},
    "Few-shot accuracy": {"validation": "val_accuracy"},
}


def draw_curves(
    history: Mapping[str, Sequence[float]],
    best_epoch: int | None,
    baselines: Mapping[str, float],
) -> bytes:
    """Learning curves as a PNG image.

    Args:
        history: Each figure's values, one an epoch.
        best_epoch: The epoch whose weights were kept, from 1 on.
        baselines: Few-shot accuracies to draw beside it.
    """
    # Not pyplot, which keeps state and looks for a display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.6), layout="constrained")
    for axes, (title, lines) in zip(figure.subplots(1, len(_PANELS)), _PANELS.items(), strict=True):
        for label, name in lines.items():
            if values := history.get(name):
                axes.plot(range(1, len(values) + 1), values, marker=".", label=label)
        if title == "Few-shot accuracy":
            for number, (label, value) in enumerate(baselines.items()):
                if not math.isnan(value):
                    axes.axhline(value, color=f"C{number + 1}", linestyle="--", label=label)
        if best_epoch:
            axes.axvline(best_epoch, color="gray", linewidth=0.8, label="kept")
        axes.set(title=title, xlabel="Epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=110)
    return png.getvalue()
