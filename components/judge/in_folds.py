"""Gives the Judge, with folds, the answers of models that have not learned from an image's fold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from components.judge.exported_model import JudgedModel, texts
from judging import gate
from judging.classifier import Support
from judging.embedded_images import Model
from judging.folded_view import AnyView, FoldedView, view_in_folds
from judging.views import CANDIDATE, View
from records.out_of_fold import OutOfFold


def in_folds(models: Mapping[str, JudgedModel], found: OutOfFold) -> dict[str, Model]:
    """Return the models, by name, with the candidate and the pretrained encoder judged in folds.

    Args:
        models: The exported models.
        found: The Trainer's out-of-fold results.
    """
    kinds: dict[str, type[_Candidate] | type[_PretrainedEncoder]] = {
        CANDIDATE: _Candidate,
        gate.PRETRAINED_ENCODER: _PretrainedEncoder,
    }
    judged: dict[str, Model] = dict(models)
    for name in judged.keys() & kinds.keys():
        judged[name] = kinds[name](models[name], found)
    return judged


class _InFolds:
    """A model whose images are in folds."""

    def __init__(self, model: JudgedModel, found: OutOfFold) -> None:
        self._model, self._found = model, found
        self._order = np.argsort(found.keys, kind="stable")

    def trained_on(self, keys: np.ndarray) -> np.ndarray:
        """Return which images of `keys` are in no fold, and were trained on: bool [n]."""
        return self._model.trained_on(keys) & ~np.isin(keys, self._found.keys)

    def _places(self, keys: np.ndarray) -> np.ndarray:
        """Return where images are in `found`; identical files are embedded alike."""
        return self._order[np.searchsorted(self._found.keys, keys, sorter=self._order)]

    def _final(self, keys: np.ndarray, unknown: np.ndarray, unknown_keys: np.ndarray) -> View:
        nothing = np.empty((0, unknown.shape[1]))
        return self._model.view(nothing, keys[:0], unknown, unknown_keys)


class _Candidate(_InFolds):
    """Judges each image by its fold's model."""

    def view(
        self,
        embeddings: np.ndarray,
        keys: np.ndarray,
        unknown: np.ndarray,
        unknown_keys: np.ndarray,
    ) -> AnyView:
        """Return the view of test images; their `embeddings`, of the final model, are not used."""
        del embeddings
        final = self._final(keys, unknown, unknown_keys)
        return view_in_folds(self._found, self._places(keys), final)


class _PretrainedEncoder(_InFolds):
    """Classifies each image by the images of the other folds; nothing has been learned."""

    def view(
        self,
        embeddings: np.ndarray,
        keys: np.ndarray,
        unknown: np.ndarray,
        unknown_keys: np.ndarray,
    ) -> AnyView:
        """Return the view of test images by their features."""
        places = self._places(keys)
        labels, sources = self._found.labels[places], texts(self._found.sources[places])
        folds = self._found.folds[places]
        support = Support(embeddings, labels, sources)
        others = [np.flatnonzero(folds != fold) for fold in range(len(self._found.models))]
        parts = tuple(
            View(
                self._model.directory,
                embeddings[folds == fold],
                unknown[:0],
                Support(*(column[some] for column in support)),
            )
            for fold, some in enumerate(others)
        )
        final = self._final(keys, unknown, unknown_keys)
        return FoldedView(folds, parts, tuple(others), support, final)
