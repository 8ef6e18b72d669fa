"""Embeds the test images, judges, and blesses."""

from __future__ import annotations

import json
import logging
import os
from contextlib import nullcontext
from typing import Any

import numpy as np
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from base.graph_optimization import graphs_not_optimized
from components.image_example_gen.report import IngestionReport
from components.judge import unknown_images
from components.judge.embedding_on_beam import Models, embed_on_beam
from components.judge.exported_model import no_training_keys
from components.judge.heat_maps import explain_mistakes, write_heat_maps
from components.judge.in_folds import in_folds
from components.judge.judgement_files import write_judgement
from components.judge.last_blessed import last_served
from components.judge.lineage import JUDGEMENT
from components.judge.tfma_verdict import tfma_checks
from judging import gate
from judging.embedded_images import EmbeddedImages, judge_embedded
from judging.judge import Judged
from judging.judgement import Check, Judgement, Verdict
from judging.settings import JudgeSettings, Thresholds
from judging.views import CANDIDATE, PairSettings
from records import features
from records.lost import records_lost
from records.out_of_fold import OutOfFold
from records.out_of_fold_file import read_out_of_fold
from trainer.export.pretrained_encoder import FOLDER

VERDICT = "verdict"
"""Property of the blessing: the outcome in a word. The Evaluator's blessing has none."""

_FEW_IMAGES = 400
"""Number up to which optimizing a model's graphs takes longer than it saves."""

_LOG = logging.getLogger(__name__)

_Artifacts = dict[str, list[types.Artifact]]


class Executor(BaseBeamExecutor):
    """See `components.judge.component.Judge`."""

    def Do(
        self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Judge the model; TFX calls this.

        Raises:
            DataError: No test image is left to judge on, or no file of `judge.unknown` is an image.
            ModelError: The candidate cannot be judged.
            RecordsLost: Not all test images, or unknown images, were embedded.
        """
        settings = JudgeSettings.model_validate_json(exec_properties["settings"])
        models = Models(
            _directories(input_dict, exec_properties, settings), optional=[gate.LAST_BLESSED]
        )
        models.load()  # here too, so that a broken model is reported at once
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        output = artifact_utils.get_single_instance(output_dict["judgement"]).uri
        report = _report(examples.uri)
        found = _out_of_fold(models, CANDIDATE)
        # With folds, all images are in one split.
        split = features.TEST if found is None else features.TRAIN
        unknown = unknown_images.files(settings.unknown) if settings.unknown else []
        few = report is not None and report.images_in(split) + len(unknown) <= _FEW_IMAGES
        with graphs_not_optimized() if few else nullcontext():
            images, unusable = embed_on_beam(
                self._make_beam_pipeline(),
                models,
                os.path.join(artifact_utils.get_split_uri([examples], split), "*"),
                unknown,
                exec_properties["max_pixels"],
                os.path.join(output, "embeddings"),
            )
        _check_count(images, report, split)
        judged = _judge(images, unusable, models, settings, input_dict, exec_properties, found)
        origin = {
            "model": artifact_utils.get_single_uri(input_dict["model"]),
            "examples": examples.uri,
            "root": report.root if report else "",
        }
        judged = judged._replace(judgement=judged.judgement.model_copy(update=origin))
        mistakes = judged.judgement.mistakes
        with graphs_not_optimized():
            maps = explain_mistakes(models.load()[CANDIDATE], mistakes, examples.uri, split)
        write_heat_maps(output, maps)
        write_judgement(output, judged)
        _log(judged.judgement)
        _bless(judged.judgement.verdict, input_dict, output_dict, exec_properties)


def _directories(
    input_dict: _Artifacts, exec_properties: dict[str, Any], settings: JudgeSettings
) -> dict[str, str]:
    """Return the SavedModels to judge, by name."""
    candidate = _serving_directory(artifact_utils.get_single_instance(input_dict["model"]))
    directories = {CANDIDATE: candidate}
    if before := _last_blessed(input_dict, exec_properties, candidate):
        directories[gate.LAST_BLESSED] = before
    if settings.reference_methods and input_dict.get("model_run"):
        encoder = os.path.join(artifact_utils.get_single_uri(input_dict["model_run"]), FOLDER)
        if fileio.exists(encoder):
            directories[gate.PRETRAINED_ENCODER] = encoder
    return directories


def _last_blessed(
    input_dict: _Artifacts, exec_properties: dict[str, Any], candidate: str
) -> str | None:
    if before := input_dict.get("last_blessed_model"):
        return _serving_directory(artifact_utils.get_single_instance(before))
    base = exec_properties["last_blessed_root"]
    return last_served(base, candidate) if base else None


def _serving_directory(model: types.Artifact) -> str:
    return path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))


def _report(examples: str) -> IngestionReport | None:
    """Return the ingestion report; None if the examples come without one."""
    if not fileio.exists(os.path.join(examples, IngestionReport.FILE)):
        return None
    return IngestionReport.read(examples)


def _out_of_fold(models: Models, name: str) -> OutOfFold | None:
    """Return a model's out-of-fold results; None without folds, or without such a model."""
    model = models.load().get(name)
    return model and read_out_of_fold(model.directory)


def _check_count(images: EmbeddedImages, report: IngestionReport | None, split: str) -> None:
    embedded = np.count_nonzero(~images.unknown)
    if report and embedded != (placed := report.images_in(split)):
        raise records_lost(f"the embeddings are of {embedded:,} of {placed:,} test images")


def _judge(
    images: EmbeddedImages,
    unusable: dict[str, str],
    models: Models,
    settings: JudgeSettings,
    input_dict: _Artifacts,
    exec_properties: dict[str, Any],
    found: OutOfFold | None,
) -> Judged:
    loaded = models.load()
    before = loaded.get(gate.LAST_BLESSED)
    if before and before.training_keys is None:
        _LOG.warning(no_training_keys(gate.LAST_BLESSED))
    asked = exec_properties.get("thresholds")
    pairing = PairSettings(
        exec_properties["held_out_partners"],
        exec_properties["held_out_max_images"],
        exec_properties["pair_seed"],
    )
    thresholds = Thresholds.model_validate_json(asked) if asked else None
    others = _evaluator_checks(input_dict)
    judged = in_folds(loaded, found, _out_of_fold(models, gate.LAST_BLESSED))
    return judge_embedded(images, judged, thresholds, settings, pairing, others, unusable)


def _evaluator_checks(input_dict: _Artifacts) -> list[Check]:
    evaluation, blessing = (
        artifact_utils.get_single_instance(input_dict[key])
        for key in ("evaluation", "evaluator_blessing")
    )
    return tfma_checks(evaluation, blessing)


def _log(judgement: Judgement) -> None:
    for limit in judgement.limits:
        _LOG.info(limit)
    _LOG.info("judged: %s: %s", judgement.verdict.outcome, "; ".join(judgement.verdict.reasons))


def _bless(
    verdict: Verdict,
    input_dict: _Artifacts,
    output_dict: _Artifacts,
    exec_properties: dict[str, Any],
) -> None:
    """Write the blessing as the Evaluator writes its own, for the stock Pusher."""
    blessing = artifact_utils.get_single_instance(output_dict["blessing"])
    for name, uri_key, id_key in (
        ("model", constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY,
         constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY),
        ("last_blessed_model", constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY,
         constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY),
    ):  # fmt: skip
        if input_dict.get(name):
            model = artifact_utils.get_single_instance(input_dict[name])
            blessing.set_string_custom_property(uri_key, model.uri)
            blessing.set_int_custom_property(id_key, model.id)
    if "current_component_id" in exec_properties:
        blessing.set_string_custom_property("component_id", exec_properties["current_component_id"])
    blessed = verdict.outcome == "blessed"
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(os.path.join(blessing.uri, name), json.dumps(verdict.reasons))
    value = constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
    blessing.set_string_custom_property(VERDICT, verdict.outcome)
    judgement = artifact_utils.get_single_instance(output_dict["judgement"])
    blessing.set_string_custom_property(JUDGEMENT, judgement.uri)
