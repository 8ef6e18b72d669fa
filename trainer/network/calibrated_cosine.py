"""The similarity of two embeddings: a logistic function of their cosine."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from keras import ops


class CalibratedCosine(NamedTuple):
    """Maps embeddings of two sides to the probability that both are of one class.

    Attributes:
        scale: Positive, so that the similarity rises with the cosine.
        offset: The similarity of orthogonal embeddings, as a logit.
    """

    scale: float = 10.0
    offset: float = -5.0

    def __call__(self, left: Any, right: Any) -> Any:
        """Return similarities float32 [n] in [0, 1] of embeddings [n, d] of length one."""
        cosine = ops.sum(ops.cast(left, "float32") * ops.cast(right, "float32"), axis=-1)
        return ops.sigmoid(self.scale * cosine + self.offset)


def calibrate_cosine(cosines: np.ndarray, same: np.ndarray) -> CalibratedCosine:
    """Fit the logistic function (Platt 1999) to pairs that no weight was fitted on.

    Both kinds of pairs weigh the same, so that a similarity of 0.5 is neutral.

    Args:
        cosines: float [p].
        same: bool [p], whether both images are of one class.

    Returns:
        The default where the pairs are of one kind, or the cosines do not tell them apart.
    """
    from sklearn.linear_model import LogisticRegression

    if not 0 < same.sum() < len(same) or not np.isfinite(cosines).all():
        return CalibratedCosine()
    fitted = LogisticRegression(C=10.0, class_weight="balanced").fit(cosines[:, None], same)
    scale, offset = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return CalibratedCosine(scale, offset) if scale > 0 else CalibratedCosine()
