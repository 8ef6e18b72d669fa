"""The thresholds of the served model as variables, which can be replaced."""

from __future__ import annotations

import tensorflow as tf

from judging.thresholds import CalibratedThresholds

_NUMBER = tf.TensorSpec([], tf.float32)


class ThresholdVariables(tf.Module):
    """What `siamese threshold` changes in an exported model, by `replace`, without this code.

    Args:
        thresholds: The calibrated ones.

    Attributes:
        same: Variable, float32 [], for the similarity of a pair.
        known: Variable, float32 [], for the best class's score.
    """

    def __init__(self, thresholds: CalibratedThresholds) -> None:
        super().__init__(name="thresholds")
        self.same = tf.Variable(thresholds.same, trainable=False, dtype=tf.float32)
        self.known = tf.Variable(thresholds.known, trainable=False, dtype=tf.float32)

    @tf.function(input_signature=[_NUMBER, _NUMBER], autograph=False)
    def replace(self, same: tf.Tensor, known: tf.Tensor) -> None:
        """Replace both, float32 []."""
        self.same.assign(same)
        self.known.assign(known)
