"""Prints a training's progress: one line per epoch, and one every few seconds."""

from __future__ import annotations

import time

import keras

_SECONDS_BETWEEN_LINES = 5.0


class Progress(keras.callbacks.Callback):
    """Prints the metrics, and adds `seconds` and `pairs_per_second` to them.

    Args:
        epochs: In total.
        steps: Per epoch.
        pairs: Per epoch, on all devices.
    """

    def __init__(self, epochs: int, steps: int, pairs: int) -> None:
        super().__init__()
        self._epochs, self._steps, self._pairs = epochs, steps, pairs
        self._epoch, self._started, self._trained, self._printed = 0, 0.0, 0.0, 0.0

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock."""
        self._epoch = epoch
        self._started = self._printed = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """Print a line every few seconds."""
        self._trained = time.perf_counter()
        if self._trained - self._printed < _SECONDS_BETWEEN_LINES:
            return
        self._printed = self._trained
        share = (batch + 1) / self._steps
        rate = self._pairs * share / (self._trained - self._started)
        print(
            f"epoch {self._epoch + 1}/{self._epochs}, step {batch + 1}/{self._steps}: "
            f"loss {float(logs['loss']):.3f}, {_in_words(rate)}",
            flush=True,
        )

    def on_epoch_end(self, epoch, logs=None):
        """Print the epoch's line."""
        rate = self._pairs / max(1e-9, self._trained - self._started)
        seconds = time.perf_counter() - self._started
        metrics = ", ".join(f"{name} {value:.3f}" for name, value in logs.items())
        logs.update(pairs_per_second=round(rate, 1), seconds=round(seconds, 2))
        print(
            f"epoch {epoch + 1}/{self._epochs}: {metrics}, {_in_words(rate)} ({seconds:.1f} s)",
            flush=True,
        )


def _in_words(rate: float) -> str:
    """Return a speed; large networks train less than one pair a second without a GPU."""
    return f"{rate:,.0f} pairs/s" if rate >= 10 else f"{rate:.1f} pairs/s"
