"""Keeps the best epoch's weights, and stops when there is no improvement."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path

import keras


class BestEpoch(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the best metrics; of equal epochs, the latest.

    Unlike Keras' EarlyStopping and ModelCheckpoint, it remembers the best epoch when a training is
    resumed.

    Args:
        folder: For `best.weights.h5` and `best.json`.
        monitor: Names of the metrics, most important first; higher is better.
        patience: Stop after this many epochs without improvement; 0: never.
        restore: Load the best weights at the end.
        same_from: Epoch from which on the same layers are trained; earlier ones do not exhaust
            patience.
    """

    def __init__(
        self,
        folder: Path,
        monitor: Sequence[str],
        patience: int,
        restore: bool,
        same_from: int = 0,
    ) -> None:
        super().__init__()
        self._weights, self._record = folder / "best.weights.h5", folder / "best.json"
        # A kill during the write must not damage the previous best weights.
        self._unfinished = folder / "unfinished.weights.h5"
        self._monitor, self._patience, self._restore = monitor, patience, restore
        self._same_from = same_from
        self.epoch, self._values = 0, [-math.inf] * len(monitor)
        self._risen_at = 0  # an equal epoch is kept, but is no improvement
        if self._record.is_file():
            found = json.loads(self._record.read_text(encoding="utf-8"))
            self.epoch, self._values = found["epoch"], found["values"]
            self._risen_at = found["risen_at"]

    def on_epoch_end(self, epoch, logs=None):
        """Save the weights if they are the best so far; stop if patience is exhausted."""
        values = [float(logs[name]) for name in self._monitor]
        values = [-1.0 if math.isnan(value) else value for value in values]  # no pairs to evaluate
        if values >= self._values:
            if values > self._values:
                self._risen_at = epoch
            self.epoch, self._values = epoch, values
            if self._restore:
                self.model.save_weights(self._unfinished)
                os.replace(self._unfinished, self._weights)
            record = {"epoch": epoch, "values": values, "risen_at": self._risen_at}
            unfinished = self._record.with_suffix(".tmp")
            unfinished.write_text(json.dumps(record), encoding="utf-8")
            os.replace(unfinished, self._record)
        if self.exhausted(epoch):
            self.model.stop_training = True

    def exhausted(self, epoch: int) -> bool:
        """Return whether patience is, at the end of an epoch (from 0 on)."""
        risen_at = max(self._risen_at, self._same_from - 1)
        return bool(self._patience) and epoch - risen_at >= self._patience

    def on_train_end(self, logs=None):
        """Load the best weights."""
        if self._restore and self._weights.is_file():
            self.model.load_weights(self._weights)
