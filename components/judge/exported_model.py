"""An exported model, as far as it is judged: its embeddings, support set, thresholds, pair head."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from base.errors import UserError
from judging.classifier import Support
from judging.views import View
from records import training_keys


class ModelError(UserError):
    """A model that cannot be judged; the message says why."""


class Embedded(NamedTuple):
    """Some images, embedded.

    Attributes:
        embeddings: float32 [n, d]; NaN where an image is not valid.
        valid: bool [n], which the model takes for images.
        pixels: uint8 [n, ...], where the model gives them.
    """

    embeddings: np.ndarray
    valid: np.ndarray
    pixels: np.ndarray | None


class JudgedModel:
    """A SavedModel of `ServedModel` (`trainer.export.signatures`) or of `PretrainedEncoder`.

    Args:
        directory: The SavedModel's.

    Raises:
        ModelError: It is none, or an older one that lacks what a judge needs.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        try:
            self._loaded: Any = tf.saved_model.load(directory)
        except (OSError, ValueError, tf.errors.OpError) as e:
            raise ModelError(f"{directory}: is no SavedModel that can be loaded: {e}") from e
        lacking = [n for n in ("embed",) if n not in self._loaded.signatures]
        lacking += [] if hasattr(self._loaded, "support") else ["support set"]
        if lacking:
            raise ModelError(
                f"{directory}: has no {' and no '.join(lacking)}, as models exported by an older "
                "version of this project; train it anew"
            )
        self._embed = self._loaded.signatures["embed"]

    def embed(self, images: list[bytes]) -> Embedded:
        """One pass of the encoder over encoded images."""
        answer = self._embed(image=tf.constant(images, tf.string))
        pixels = answer.get("pixels")
        return Embedded(
            answer["embedding"].numpy(),
            answer["valid"].numpy(),
            None if pixels is None else pixels.numpy(),
        )

    @property
    def support(self) -> Support:
        """The labelled images that it classifies by."""
        support = self._loaded.support
        return Support(
            support.embeddings.numpy(),
            _texts(support.labels.numpy()),
            _texts(support.sources.numpy()),
        )

    @property
    def support_pixels(self) -> np.ndarray | None:
        """uint8 [s, size, size, 3], of the same images, where the model holds them."""
        pixels = getattr(self._loaded.support, "pixels", None)
        return None if pixels is None else pixels.numpy()

    @property
    def training_keys(self) -> np.ndarray | None:
        """int64 [m], keys (`records.training_keys`) of the images that it was trained on.

        None: it does not say, as an encoder alone and what an older version has exported.
        """
        keys = getattr(self._loaded, "training_keys", None)
        return None if keys is None else keys.numpy()

    def trained_on(self, keys: np.ndarray) -> np.ndarray:
        """Which images of `keys`, int64 [n], it says that it was made with: bool [n]."""
        return training_keys.among(keys, self.training_keys)

    @property
    def thresholds(self) -> dict[str, float]:
        """Those of `same` and `known`; none for an encoder alone."""
        if not hasattr(self._loaded, "thresholds"):
            return {}
        return {name: float(value) for name, value in self._loaded.thresholds().items()}

    @property
    def compares(self) -> bool:
        """Whether it has a `similarity`."""
        return hasattr(self._loaded, "similarity")

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Similarities float32 [p] of embeddings float32 [p, d] of two sides."""
        sides = (tf.constant(side, tf.float32) for side in (left, right))
        return self._loaded.similarity(*sides).numpy()

    def view(
        self,
        embeddings: np.ndarray,
        keys: np.ndarray,
        unknown: np.ndarray,
        unknown_keys: np.ndarray,
    ) -> View:
        """What it makes of the test images.

        Args:
            embeddings: float [n, d], of these.
            keys: int64 [n], theirs (`records.training_keys`).
            unknown: float [u, d], of images of no class.
            unknown_keys: int64 [u], theirs.
        """
        return View(
            self.directory,
            embeddings,
            unknown,
            self.support,
            self.similarity if self.compares else None,
            self.thresholds.get("same", math.nan),
            self.thresholds.get("known", math.nan),
            self.trained_on(keys),
            self.trained_on(unknown_keys),
        )


def unsaid(name: str) -> str:
    """That a model, called `name`, has no `training_keys`: a sentence without its full stop."""
    return (
        f"the {name} does not say which images it was trained with, as older ones do not: it may "
        "have learned from some of these"
    )


def text(value: bytes) -> str:
    """A label or a file's name, whatever its bytes, as it can be written as JSON."""
    return value.decode("utf-8", "backslashreplace")


def _texts(values: np.ndarray) -> np.ndarray:
    return np.array([text(value) for value in values.tolist()], str)
