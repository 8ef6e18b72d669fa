"""The TFX component."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.code_version import code_version
from components.judge.executor import Executor
from judging.settings import JudgeSettings, Thresholds


class JudgeSpec(ComponentSpec):
    """Inputs, outputs and properties of `Judge`."""

    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "model": ChannelParameter(type=standard_artifacts.Model),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "evaluator_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun, optional=True),
        "last_blessed_model": ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {
        "judgement": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    PARAMETERS = {
        "thresholds": ExecutionParameter(type=str),
        "settings": ExecutionParameter(type=str),
        "last_blessed_root": ExecutionParameter(type=str),
        "held_out_partners": ExecutionParameter(type=int),
        "held_out_max_images": ExecutionParameter(type=int),
        "pair_seed": ExecutionParameter(type=int),
        "max_pixels": ExecutionParameter(type=int),
        "unknown_files": ExecutionParameter(type=str),
        "code": ExecutionParameter(type=str),
    }


class Judge(BaseBeamComponent):
    """Judges a model on the test images as it will be used, and blesses it.

    Output `judgement` holds `judging.judgement.Judgement` and the outcome of each image and pair;
    the stock Pusher reads `blessing`. Unlike the Evaluator's, that has a property `verdict`:
    `blessed`, `not_blessed` or `undecided`.

    Args:
        examples: From ImageExampleGen.
        model: The candidate, from the Trainer.
        evaluation: From the Evaluator.
        evaluator_blessing: From the Evaluator; its thresholds must hold too.
        thresholds: What the model must reach; None: it is measured only, and never blessed.
        settings: How to judge.
        model_run: From the Trainer: the encoder before training, to compare with.
        last_blessed_model: The last blessed model, from a Resolver, to compare with.
        last_blessed_root: Base path of the served models: without `last_blessed_model`, the stable
            one is compared with, or where none has that label the newest.
        held_out_partners: As PairGen's, so that the pairs are the same.
        held_out_max_images: As PairGen's.
        pair_seed: As PairGen's.
        max_pixels: Of the largest image of `settings.unknown` that is read.
        unknown_files: The `image_folder.fingerprint` of `settings.unknown`: TFX's cache does not
            see a change in a folder.
    """

    SPEC_CLASS = JudgeSpec
    EXECUTOR_SPEC = BeamExecutorSpec(Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        evaluation: types.BaseChannel,
        evaluator_blessing: types.BaseChannel,
        thresholds: Thresholds | None,
        settings: JudgeSettings,
        model_run: types.BaseChannel | None = None,
        last_blessed_model: types.BaseChannel | None = None,
        last_blessed_root: str = "",
        held_out_partners: int = 16,
        held_out_max_images: int = 500,
        pair_seed: int = 0,
        max_pixels: int = 100_000_000,
        unknown_files: str = "",
    ) -> None:
        super().__init__(
            JudgeSpec(
                examples=examples,
                model=model,
                evaluation=evaluation,
                evaluator_blessing=evaluator_blessing,
                model_run=model_run,
                last_blessed_model=last_blessed_model,
                judgement=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
                thresholds=thresholds.model_dump_json() if thresholds else "",
                settings=settings.model_dump_json(),
                last_blessed_root=last_blessed_root,
                held_out_partners=held_out_partners,
                held_out_max_images=held_out_max_images,
                pair_seed=pair_seed,
                max_pixels=max_pixels,
                unknown_files=unknown_files,
                code=code_version(__name__),
            )
        )
