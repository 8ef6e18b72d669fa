"""Embeds the test images, judges, and blesses."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from base.errors import DataError
from components.image_example_gen.report import IngestionReport
from components.judge import embedding, unknown_images
from components.judge.exported_model import JudgedModel, text, unsaid
from components.judge.judgement_files import write_judgement
from components.judge.last_blessed import last_served
from components.judge.tfma_verdict import tfma_checks
from judging import gate
from judging.judge import judge
from judging.judgement import Verdict
from judging.settings import JudgeSettings, Thresholds
from judging.views import NOT_VALID, TRAINED_ON, HeldOutImages, PairSettings, View
from records import features
from records.lost import records_lost
from storage.file_systems import open_file
from trainer.export.pretrained_encoder import FOLDER

VERDICT = "verdict"
"""Property of the blessing: the outcome in a word. The Evaluator's blessing has none."""

_CANDIDATE = "candidate"
_LOG = logging.getLogger(__name__)


class Executor(BaseBeamExecutor):
    """See `components.judge.component.Judge`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """TFX's entry point.

        Raises:
            DataError: No test image is left to judge on, or no file of `judge.unknown` is an image.
            ModelError: The candidate cannot be judged.
            RecordsLost: Not all test images, or images of no class, have been embedded.
        """
        asked = exec_properties.get("thresholds")
        thresholds = Thresholds.model_validate_json(asked) if asked else None
        settings = JudgeSettings.model_validate_json(exec_properties["settings"])
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        directories = _directories(input_dict, exec_properties, settings)
        models = embedding.Models(directories, optional=[gate.LAST_BLESSED])
        loaded = models.load()  # here too, so that what is wrong with them is said at once
        output = artifact_utils.get_single_instance(output_dict["judgement"])

        report = _report(examples.uri)
        found, unusable = self._embed(models, examples, settings, exec_properties, output.uri)
        if report:
            placed = report.images_in(features.TEST)
            if (embedded := np.count_nonzero(~found["unknown"])) != placed:
                raise records_lost(f"the embeddings are of {embedded:,} of {placed:,} test images")
        learned = loaded[_CANDIDATE].trained_on(found["key"])
        usable = found["valid"] & ~learned
        _check_some_left(found, usable, unusable, learned, settings)
        tested = usable & ~found["unknown"]
        images = HeldOutImages(
            *(np.array([text(x) for x in found[n][tested].tolist()], str)
              for n in ("id", "label", "source"))
        )  # fmt: skip
        before = loaded.get(gate.LAST_BLESSED)
        if before and before.training_keys is None:
            _LOG.warning(unsaid(gate.LAST_BLESSED))
        views = {name: _view(loaded[name], found, usable, name) for name in loaded}
        raw = found.get("raw pixels")
        judged = judge(
            images,
            views.pop(_CANDIDATE),
            views,
            None if raw is None else np.array([text(x) for x in raw[tested].tolist()], str),
            thresholds,
            settings,
            PairSettings(
                exec_properties["held_out_partners"],
                exec_properties["held_out_max_images"],
                exec_properties["pair_seed"],
            ),
            tfma_checks(
                artifact_utils.get_single_instance(input_dict["evaluation"]),
                artifact_utils.get_single_instance(input_dict["evaluator_blessing"]),
            ),
        )
        judgement = judged.judgement.model_copy(
            update={
                "model": artifact_utils.get_single_uri(input_dict["model"]),
                "examples": examples.uri,
                "root": report.root if report else "",
                "invalid": {
                    **judged.judgement.invalid,
                    **_reasons(found, ~usable, learned),
                    **unusable,
                },
            }
        )
        write_judgement(output.uri, judged._replace(judgement=judgement))
        for limit in judgement.limits:
            _LOG.info(limit)
        _LOG.info("judged: %s: %s", judgement.verdict.outcome, "; ".join(judgement.verdict.reasons))
        _bless(judgement.verdict, input_dict, output_dict, exec_properties)

    def _embed(
        self,
        models: embedding.Models,
        examples: types.Artifact,
        settings: JudgeSettings,
        exec_properties: dict[str, Any],
        output: str,
    ) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """What `embedding.read` gives, and of the unusable files of no class the reasons."""
        pattern = os.path.join(artifact_utils.get_split_uri([examples], features.TEST), "*")
        prefix = os.path.join(output, "embeddings", "batches")
        left_out = os.path.join(output, "embeddings", "unusable.json")
        unknown = unknown_images.files(settings.unknown) if settings.unknown else []
        with self._make_beam_pipeline() as pipeline:
            items = (
                pipeline
                | "Read" >> beam.io.ReadFromTFRecord(pattern)
                | "Parse" >> beam.Map(embedding.item)
            )
            if unknown:
                others, reasons = (
                    pipeline
                    | "Unknown" >> beam.Create([os.fsencode(path) for path in unknown])
                    | "ReadUnknown" >> unknown_images.Read(exec_properties["max_pixels"])
                )
                items = (items, others) | "Both" >> beam.Flatten()
                _ = reasons | "Why" >> beam.io.WriteToText(left_out, shard_name_template="")
            raw_pixels = (
                gate.PRETRAINED_ENCODER if gate.PRETRAINED_ENCODER in models.load() else None
            )
            _ = (
                items
                | "Models" >> embedding.Embed(models, raw_pixels)
                | "Write" >> beam.io.WriteToTFRecord(prefix)
            )
        found = embedding.read(tf.io.gfile.glob(prefix + "*"))
        if not unknown:
            return found, {}
        with open_file(left_out) as file:
            unusable = json.load(file)
        if (read := len(unusable) + np.count_nonzero(found["unknown"])) != len(unknown):
            raise records_lost(f"{read:,} of {len(unknown):,} images of no class were looked at")
        return found, unusable


def _reasons(found: dict[str, np.ndarray], rows: np.ndarray, learned: np.ndarray) -> dict[str, str]:
    """Why the images of some rows, bool [n], are not judged on, by their files."""
    return {
        text(source): TRAINED_ON if was_learned else NOT_VALID
        for source, was_learned in zip(found["source"][rows].tolist(), learned[rows], strict=True)
    }


def _check_some_left(
    found: dict[str, np.ndarray],
    usable: np.ndarray,
    unusable: dict[str, str],
    learned: np.ndarray,
    settings: JudgeSettings,
) -> None:
    of_test = ~found["unknown"]
    if not (usable & of_test).any():
        source, reason = next(iter(_reasons(found, of_test, learned).items()))
        raise DataError(
            f"none of the {of_test.sum()} test images can be judged on; of {source}: {reason}"
        )
    if settings.unknown:
        of_none = _reasons(found, found["unknown"] & ~usable, learned)
        unknown_images.check_some_left(
            settings.unknown, len(unusable) + found["unknown"].sum(), {**unusable, **of_none}
        )


def _directories(
    input_dict: dict[str, list[types.Artifact]],
    exec_properties: dict[str, Any],
    settings: JudgeSettings,
) -> dict[str, str]:
    """The SavedModels that are judged, by name."""
    candidate = _serving_directory(artifact_utils.get_single_instance(input_dict["model"]))
    found = {_CANDIDATE: candidate}
    if before := _last_blessed(input_dict, exec_properties, candidate):
        found[gate.LAST_BLESSED] = before
    if settings.reference_methods and input_dict.get("model_run"):
        pretrained = os.path.join(artifact_utils.get_single_uri(input_dict["model_run"]), FOLDER)
        if fileio.exists(pretrained):
            found[gate.PRETRAINED_ENCODER] = pretrained
    return found


def _last_blessed(
    input_dict: dict[str, list[types.Artifact]], exec_properties: dict[str, Any], candidate: str
) -> str | None:
    """The last blessed model's directory, if there is one."""
    if input_dict.get("last_blessed_model"):
        return _serving_directory(
            artifact_utils.get_single_instance(input_dict["last_blessed_model"])
        )
    base = exec_properties["last_blessed_root"]
    return last_served(base, candidate) if base else None


def _serving_directory(model: types.Artifact) -> str:
    return path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))


def _view(model: JudgedModel, found: dict[str, np.ndarray], usable: np.ndarray, name: str) -> View:
    embeddings, keys = found[f"embedding {name}"], found["key"]
    tested, strange = usable & ~found["unknown"], usable & found["unknown"]
    return model.view(embeddings[tested], keys[tested], embeddings[strange], keys[strange])


def _report(examples: str) -> IngestionReport | None:
    """The ingestion's; None where the examples come without one."""
    if not fileio.exists(os.path.join(examples, IngestionReport.FILE)):
        return None
    return IngestionReport.read(examples)


def _bless(
    verdict: Verdict,
    input_dict: dict[str, list[types.Artifact]],
    output_dict: dict[str, list[types.Artifact]],
    exec_properties: dict[str, Any],
) -> None:
    """Write the blessing as the Evaluator writes its own, for the stock Pusher."""
    blessing = artifact_utils.get_single_instance(output_dict["blessing"])
    for name, key in (
        ("model", (constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY,
                   constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY)),
        ("last_blessed_model", (constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY,
                            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY)),
    ):  # fmt: skip
        if input_dict.get(name):
            model = artifact_utils.get_single_instance(input_dict[name])
            blessing.set_string_custom_property(key[0], model.uri)
            blessing.set_int_custom_property(key[1], model.id)
    if "current_component_id" in exec_properties:
        blessing.set_string_custom_property("component_id", exec_properties["current_component_id"])
    blessed = verdict.outcome == "blessed"
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(os.path.join(blessing.uri, name), json.dumps(verdict.reasons))
    value = constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
    blessing.set_string_custom_property(VERDICT, verdict.outcome)
