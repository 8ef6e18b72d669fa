"""Resolves the model that the candidate is compared with."""

from __future__ import annotations

from ml_metadata import MetadataStore
from tfx import types
from tfx.dsl.components.common.resolver import ResolverStrategy

MODEL, BLESSING, CANDIDATE = "model", "model_blessing", "candidate"


class LatestOtherBlessedModel(ResolverStrategy):
    """Resolves the model that the Judge blessed last, other than the candidate itself.

    TFX's own LatestBlessedModelStrategy would, once a model is blessed, compare an unchanged model
    with itself: a new evaluation, a new blessing, and the same model pushed again. With the
    candidate left out, an unchanged run resolves to the same model as before and is cached
    throughout. The Evaluator's blessings are ignored: only the Judge's have a verdict.

    Use it as `Resolver(strategy_class=LatestOtherBlessedModel, model=Channel(type=Model),
    model_blessing=Channel(type=ModelBlessing), candidate=trainer.outputs["model"])`.
    """

    def resolve_artifacts(
        self, store: MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Return the last blessed model and its blessing, both empty if there is none."""
        del store
        candidates = {artifact.id for artifact in input_dict[CANDIDATE]}
        models = {artifact.id: artifact for artifact in input_dict[MODEL]}
        found: dict[str, list[types.Artifact]] = {MODEL: [], BLESSING: [], CANDIDATE: []}
        for blessing in sorted(input_dict[BLESSING], key=lambda a: a.id, reverse=True):
            model_id = blessing.get_int_custom_property("current_model_id")
            blessed = blessing.get_string_custom_property("verdict") == "blessed"
            if blessed and model_id in models and model_id not in candidates:
                found[MODEL], found[BLESSING] = [models[model_id]], [blessing]
                break
        return found
