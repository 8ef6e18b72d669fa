"""Random changes that depend on the seed and the epoch alone."""

from __future__ import annotations

import keras


class EpochSeeds(keras.callbacks.Callback):
    """Sets the state of every random layer at the start of an epoch.

    Keras keeps no seeds with a checkpoint, so a training that is taken up again would draw others.
    """

    def on_epoch_begin(self, epoch, logs=None):
        """Set them: a seed, and how often it has been drawn from."""
        for variable in self.model.variables:
            if variable.path.endswith("seed_generator_state"):
                seed = int(keras.ops.convert_to_numpy(variable)[0])
                variable.assign([seed, epoch << 16])
