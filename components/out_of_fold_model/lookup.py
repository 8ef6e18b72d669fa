"""A SavedModel that compares images by their ids, with the embeddings that were stored for them."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from records import features
from records.out_of_fold import OutOfFold


class OutOfFoldSimilarity(tf.Module):
    """Compares two images of one fold by the model that has not learned from that fold.

    Signature `evaluate`: `examples` string [n], plain pairs, to `similarity` and `same` (1 or 0),
    float32 [n] each, as in `trainer.export.signatures.ServedModel`.

    Args:
        found: The images; pairs of others are refused.
    """

    def __init__(self, found: OutOfFold) -> None:
        super().__init__(name="out_of_fold")
        self._places = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant([bytes(one) for one in found.ids.tolist()]),
                tf.range(len(found.ids), dtype=tf.int64),
            ),
            default_value=-1,
        )
        self._embeddings = _constant(found.embeddings, tf.float32)
        self._folds = _constant(found.folds, tf.int64)
        self._scales = _constant([one.scale for one in found.models], tf.float64)
        self._offsets = _constant(
            [one.offset + found.shift(one) for one in found.models], tf.float64
        )
        self._threshold = found.same

    def save(self, directory: str) -> None:
        """Write the SavedModel into `directory`."""
        evaluate = self.evaluate.get_concrete_function(tf.TensorSpec([None], tf.string))
        tf.saved_model.save(self, directory, signatures={"evaluate": evaluate})

    @tf.function
    def evaluate(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """The `evaluate` signature."""
        ids = tf.io.parse_example(
            examples, {features.IMAGE_ID: tf.io.FixedLenFeature([2], tf.string)}
        )[features.IMAGE_ID]
        places = self._places.lookup(ids)
        with tf.control_dependencies([tf.debugging.assert_non_negative(places)]):
            left, right = (tf.gather(self._embeddings, places[:, side]) for side in (0, 1))
        folds = tf.gather(self._folds, places[:, 0])
        cosines = tf.cast(tf.reduce_sum(left * right, axis=1), tf.float64)
        logits = tf.gather(self._scales, folds) * cosines + tf.gather(self._offsets, folds)
        similarity = tf.cast(tf.sigmoid(logits), tf.float32)
        return {
            "similarity": similarity,
            "same": tf.cast(similarity >= np.float32(self._threshold), tf.float32),
        }


def _constant(values, dtype: tf.DType) -> tf.Variable:
    return tf.Variable(values, dtype=dtype, trainable=False)
