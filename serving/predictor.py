"""Asks an exported model in this process; needs TensorFlow, but neither TFX nor our trainer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Comparison(NamedTuple):
    """What the model says of a pair.

    Attributes:
        similarity: In [0, 1]; NaN where the pair is not valid.
        same: Whether both images are of one class, by the model's own threshold.
        valid: Whether the model can use both images.
    """

    similarity: float
    same: bool
    valid: bool


class ModelError(ValueError):
    """A folder that holds no model of ours."""


class Predictor:
    """An exported SavedModel, loaded.

    Args:
        model_dir: Folder of the SavedModel, such as `<destination>/<version>`.

    Raises:
        ModelError: There is no SavedModel, or it has other signatures.
    """

    def __init__(self, model_dir: str | Path) -> None:
        import tensorflow as tf

        if not tf.io.gfile.exists(str(Path(model_dir) / "saved_model.pb")):
            raise ModelError(f"{model_dir}: holds no SavedModel (no saved_model.pb)")
        # The object must outlive its signatures, which hold their variables only weakly.
        self._model = tf.saved_model.load(str(model_dir))
        self._constant = tf.constant
        try:
            self._compare = self._model.signatures["serving_default"]
        except KeyError as e:
            raise ModelError(f"{model_dir}: has no signature 'serving_default'") from e
        if missing := set(Comparison._fields) - set(self._compare.structured_outputs):
            raise ModelError(
                f"{model_dir}: its signature 'serving_default' does not answer with "
                f"{', '.join(sorted(missing))}; train the model anew"
            )

    def compare(self, left: Sequence[bytes], right: Sequence[bytes]) -> list[Comparison]:
        """What the model says of pairs of encoded images.

        Args:
            left: n encoded images, made canonical by `components.canonical_image`.
            right: The n images to compare them with.

        Raises:
            ValueError: The two are not equally many.
        """
        if len(left) != len(right):
            raise ValueError(f"{len(left)} left images for {len(right)} right ones")
        answer = self._compare(left=self._constant(list(left)), right=self._constant(list(right)))
        columns = (answer[name].numpy().tolist() for name in Comparison._fields)
        return [Comparison(*row) for row in zip(*columns, strict=True)]
