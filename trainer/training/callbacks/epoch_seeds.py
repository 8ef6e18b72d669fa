"""Makes random layers depend on the seed and the epoch alone."""

from __future__ import annotations

import keras


class EpochSeeds(keras.callbacks.Callback):
    """Sets the state of every random layer at the start of an epoch.

    Keras checkpoints contain no seeds, so a resumed training would draw other numbers.
    """

    def on_epoch_begin(self, epoch, logs=None):
        """Set each state: the layer's seed and a counter."""
        for variable in self.model.variables:
            if variable.path.endswith("seed_generator_state"):
                seed = int(keras.ops.convert_to_numpy(variable)[0])
                variable.assign([seed, epoch << 16])
