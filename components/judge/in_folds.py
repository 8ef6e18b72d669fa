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
from records.lost import records_lost
from records.out_of_fold import OutOfFold


def in_folds(
    models: Mapping[str, JudgedModel], found: OutOfFold | None, before: OutOfFold | None = None
) -> dict[str, Model]:
    """Return the models, by name, as they judge images that were learned from in folds.

    Args:
        models: The exported models.
        found: The candidate's out-of-fold results; None without folds.
        before: Those of the last blessed model.
    """
    judged: dict[str, Model] = dict(models)
    if found is not None:
        judged[CANDIDATE] = _Candidate(models[CANDIDATE], found)
        if encoder := models.get(gate.PRETRAINED_ENCODER):
            judged[gate.PRETRAINED_ENCODER] = _PretrainedEncoder(encoder, found)
    if before is not None and (model := models.get(gate.LAST_BLESSED)):
        judged[gate.LAST_BLESSED] = _Before(model, before)
    return judged


class _InFolds:
    """A model whose images are in folds."""

    def __init__(self, model: JudgedModel, found: OutOfFold) -> None:
        self._model, self._found = model, found
        self._order = np.argsort(found.keys, kind="stable")

    def trained_on(self, keys: np.ndarray, unknown: np.ndarray | None = None) -> np.ndarray:
        """Return which images were trained on by every model: bool [n]. See `Model`."""
        judged = np.isin(keys, self._found.keys)
        # The final model judges the unknown images.
        return self._model.trained_on(keys) & ~(judged if unknown is None else judged & ~unknown)

    def _places(self, keys: np.ndarray) -> np.ndarray:
        """Return where images are in `found`; identical files are embedded alike."""
        if not np.isin(keys, self._found.keys).all():
            raise records_lost("not all images that are judged in folds were learned from")
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
                support.only(some),
            )
            for fold, some in enumerate(others)
        )
        final = self._final(keys, unknown, unknown_keys)
        return FoldedView(folds, parts, tuple(others), support, final)


class _Before(_InFolds):
    """Judges images that it has learned from by its folds' models, and new ones as it is."""

    def view(
        self,
        embeddings: np.ndarray,
        keys: np.ndarray,
        unknown: np.ndarray,
        unknown_keys: np.ndarray,
    ) -> AnyView:
        """Return the view of test images; `embeddings`, of the final model, are of new ones."""
        final = self._model.view(embeddings, keys, unknown, unknown_keys)
        learned = np.isin(keys, self._found.keys)
        # `siamese threshold` may have changed the model's thresholds since.
        found = self._found._replace(same=final.same, known=final.known)
        known = view_in_folds(found, self._places(keys[learned]), final)
        folds = np.full(len(keys), len(known.parts))
        folds[learned] = known.folds
        labels, sources = (
            np.concatenate([getattr(one.support, name) for one in (known, final)])
            for name in ("labels", "sources")
        )
        scores = np.full(len(keys), np.nan)
        scores[learned] = known.unknown_scores
        return FoldedView(
            folds,
            (*known.parts, final.only(~learned)),
            (*known.places, len(known.support.labels) + np.arange(len(final.support.labels))),
            Support(np.empty((len(labels), 0)), labels, sources, final.support.scored_by),
            final,
            scores,
        )
