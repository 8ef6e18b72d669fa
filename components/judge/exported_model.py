"""Loads an exported model as the Judge needs it: embeddings, support set, thresholds, pair head."""

from __future__ import annotations

import functools
import math
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from base.errors import StorageError, UserError
from base.printable import text_of
from judging.classifier import Support, nearest_neighbour
from judging.views import View
from records import scored_by, training_keys
from storage.enrolled_images import read_enrolled_images
from storage.local_copies import tensorflow_path


class ModelError(UserError):
    """A model that cannot be judged; the message says why."""


class Embedded(NamedTuple):
    """Embeddings of n images.

    Attributes:
        embeddings: float32 [n, d]; NaN if an image is not valid.
        valid: bool [n], whether the model accepts them as images.
        pixels: uint8 [n, ...], if the model returns them.
    """

    embeddings: np.ndarray
    valid: np.ndarray
    pixels: np.ndarray | None


class JudgedModel:
    """A SavedModel of `ServedModel` (`trainer.export.signatures`) or of `PretrainedEncoder`.

    Args:
        directory: The SavedModel's.

    Raises:
        ModelError: It cannot be loaded, or is an older one that lacks what the Judge needs.
        StorageError: s3:// refuses, or does not answer.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        try:
            with tensorflow_path(directory) as path:
                self._loaded: Any = tf.saved_model.load(path)
        except StorageError:  # says nothing about the model
            raise
        except (OSError, ValueError, tf.errors.OpError) as e:
            raise ModelError(f"{directory}: is no SavedModel that can be loaded: {e}") from e
        lacking = [n for n in ("embed",) if n not in self._loaded.signatures]
        lacking += [] if hasattr(self._loaded, "support") else ["support set"]
        if lacking:
            raise ModelError(
                f"{directory}: has no {' and no '.join(lacking)}, as models exported by an older "
                "version of this project; train it again"
            )
        self._embed = self._loaded.signatures["embed"]

    @property
    def loaded(self) -> Any:
        """The loaded SavedModel."""
        return self._loaded

    def embed(self, images: list[bytes]) -> Embedded:
        """Return embeddings of encoded images, by one pass of the encoder."""
        answer = self._embed(image=tf.constant(images, tf.string))
        pixels = answer.get("pixels")
        return Embedded(
            answer["embedding"].numpy(),
            answer["valid"].numpy(),
            None if pixels is None else pixels.numpy(),
        )

    @property
    def explains(self) -> bool:
        """Whether it has the signature `explain`."""
        return "explain" in self._loaded.signatures

    def explain(self, image: bytes, label: str) -> dict[str, np.ndarray]:
        """Return the outputs of the signature `explain` for a class of one image."""
        answer = self._loaded.signatures["explain"](
            image=tf.constant([image]),
            other=tf.constant([b""]),
            label=tf.constant([label.encode()]),
        )
        return {name: value.numpy() for name, value in answer.items()}

    @functools.cached_property
    def support(self) -> Support:
        """The labelled images that it classifies by."""
        support = self._loaded.support
        by = getattr(support, "scored_by", None)
        return Support(
            support.embeddings.numpy(),
            texts(support.labels.numpy()),
            texts(support.sources.numpy()),
            scored_by.read(None if by is None else by.numpy().decode()),
        )

    @functools.cached_property
    def enrolled(self) -> frozenset[str]:
        """Classes all of whose support images were enrolled, so that it was not trained on them."""
        support = Counter(self.support.labels.tolist())
        enrolled = Counter(one.label for one in read_enrolled_images(self.directory))
        return frozenset(label for label, n in enrolled.items() if n >= support[label])

    def nearest_by_pixels(self, pixels: np.ndarray | None, folds: np.ndarray) -> np.ndarray | None:
        """Return the class of the support image nearest to each image by its pixels.

        Args:
            pixels: uint8 [n, size, size, 3], from `embed`.
            folds: int64 [n], their folds: support images of the same one do not count.

        Returns:
            str [n]; None if the model holds or returns no pixels.
        """
        if pixels is None or self._support_pixels is None:
            return None
        rows, queries = (x.reshape(len(x), -1) for x in (self._support_pixels, pixels))
        found = np.empty(len(queries), self.support.labels.dtype)
        for fold in np.unique(folds):
            of_fold, others = folds == fold, (self._support_folds != fold) | (fold < 0)
            found[of_fold] = nearest_neighbour(
                rows[others], self.support.labels[others], queries[of_fold]
            )
        return found

    @functools.cached_property
    def _support_pixels(self) -> np.ndarray | None:
        """uint8 [s, size, size, 3], of the support images."""
        pixels = getattr(self._loaded.support, "pixels", None)
        return None if pixels is None else pixels.numpy()

    @functools.cached_property
    def _support_folds(self) -> np.ndarray:
        """int64 [s], the folds of the support images."""
        folds = getattr(self._loaded.support, "folds", None)
        return np.full(len(self.support.labels), -1) if folds is None else folds.numpy()

    @functools.cached_property
    def training_keys(self) -> np.ndarray | None:
        """int64 [m], keys (`records.training_keys`) of the images that it was trained on.

        None if it does not contain them: an encoder alone, or a model exported by an older version.
        """
        keys = getattr(self._loaded, "training_keys", None)
        return None if keys is None else keys.numpy()

    def trained_on(self, keys: np.ndarray, unknown: np.ndarray | None = None) -> np.ndarray:
        """Return which images of `keys`, int64 [n], are in its training keys: bool [n].

        Whether they are of a class, or `unknown`, makes no difference.
        """
        del unknown
        return training_keys.among(keys, self.training_keys)

    @property
    def thresholds(self) -> dict[str, float]:
        """The thresholds `same` and `known`; empty for an encoder alone."""
        if not hasattr(self._loaded, "thresholds"):
            return {}
        return {name: float(value) for name, value in self._loaded.thresholds().items()}

    @property
    def has_similarity(self) -> bool:
        """Whether it compares pairs."""
        return hasattr(self._loaded, "similarity")

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return similarities float32 [p] of embeddings float32 [p, d] of two sides."""
        sides = (tf.constant(side, tf.float32) for side in (left, right))
        return self._loaded.similarity(*sides).numpy()

    def view(
        self,
        embeddings: np.ndarray,
        keys: np.ndarray,
        unknown: np.ndarray,
        unknown_keys: np.ndarray,
    ) -> View:
        """Return its view of the test images.

        Args:
            embeddings: float [n, d], of the test images.
            keys: int64 [n], theirs (`records.training_keys`).
            unknown: float [u, d], embeddings of unknown images.
            unknown_keys: int64 [u], theirs.
        """
        return View(
            self.directory,
            embeddings,
            unknown,
            self.support,
            self.similarity if self.has_similarity else None,
            self.thresholds.get("same", math.nan),
            self.thresholds.get("known", math.nan),
            self.trained_on(keys),
            self.trained_on(unknown_keys),
            self.enrolled,
        )


def no_training_keys(name: str) -> str:
    """Return a sentence on a model, called `name`, without `training_keys`; no full stop."""
    return (
        f"the {name} does not say which images it was trained on, since an older version exported "
        "it: some of these may be among them"
    )


def texts(values: np.ndarray) -> np.ndarray:
    """Return bytes [n] as str [n], each by `printable.text_of`."""
    return np.array([text_of(value) for value in values.tolist()], str)
