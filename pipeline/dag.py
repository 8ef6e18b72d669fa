"""The DAG on one page: images to examples to pairs to a model, gated and pushed.

Nothing here knows of a runner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from tfx import v1 as tfx

from components.code_version import code_version
from components.data_check.component import DataCheck
from components.image_example_gen.component import ImageExampleGen
from components.image_schema_gen.component import ImageSchemaGen
from components.infra_check.component import InfraCheck
from components.judge import unknown_images
from components.judge.component import Judge
from components.last_blessed_model.resolver import LatestOtherBlessedModel
from components.pair_gen.component import PairGen
from pipeline.config.run_config import RunConfig
from pipeline.evaluator_config import eval_config
from records import features
from storage.file_systems import absolute, beam_arguments


def create_pipeline(config: RunConfig, for_cluster: bool = False) -> tfx.dsl.Pipeline:
    """Every component of a run, wired.

    Args:
        config: The run's configuration.
        for_cluster: Leave out what Kubeflow Pipelines does not run, TFX's Resolver, and what is of
            this machine.

    Returns:
        The pipeline, to be handed to a runner.
    """
    example_gen = ImageExampleGen(
        **_without(config.data, "root"),
        root=absolute(config.data.root),
        split_by=config.splits.by,
        **_without(config.splits, "by"),
        seed=config.seed,
    )
    images = example_gen.outputs["examples"]
    statistics_gen = tfx.components.StatisticsGen(examples=images)
    schema_gen = ImageSchemaGen(examples=images)
    example_validator = tfx.components.ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"]
    )
    data_check = DataCheck(
        examples=images,
        anomalies=example_validator.outputs["anomalies"],
        split_by=config.splits.by,
    )

    transform = tfx.components.Transform(
        examples=images,
        schema=schema_gen.outputs["schema"],
        preprocessing_fn="components.transform.preprocessing.preprocessing_fn",
        custom_config={
            **config.image.model_dump(),
            "code": code_version("components.transform.preprocessing"),
        },
        # Statistics of serialized pixels say nothing and cost much.
        disable_statistics=True,
        splits_config=tfx.proto.SplitsConfig(
            analyze=[features.TRAIN], transform=list(features.SPLITS)
        ),
    )
    transform.add_upstream_node(data_check)
    pair_gen = PairGen(
        examples=transform.outputs["transformed_examples"],
        **config.pairs.train.model_dump(),
        held_out_partners=config.pairs.held_out.partners,
        held_out_max_images=config.pairs.held_out.max_images,
        seed=config.seed,
    )

    learning: dict[str, Any] = {
        "examples": pair_gen.outputs["pairs"],
        "transform_graph": transform.outputs["transform_graph"],
        "train_args": tfx.proto.TrainArgs(splits=[features.TRAIN]),
        "eval_args": tfx.proto.EvalArgs(splits=[features.VALIDATION]),
    }
    settings = {
        "image_size": config.image.size,
        "max_pixels": config.data.max_pixels,
        "model": config.model.model_dump_json(),
        "training": config.training.model_dump_json(),
        "unfinished": config.kubeflow.unfinished
        if for_cluster
        else absolute(str(config.root / "unfinished")),
    }
    search, hyperparameters = _search(config, learning, settings)
    trainer = tfx.components.Trainer(
        run_fn="trainer.run_fn.run_fn",
        **learning,
        custom_config={**settings, "code": code_version("trainer.run_fn")},
        hyperparameters=hyperparameters,
    )
    evaluator = tfx.components.Evaluator(
        examples=pair_gen.outputs["pairs"],
        model=trainer.outputs["model"],
        eval_config=eval_config(config.thresholds),
        example_splits=[features.TEST],
    )
    resolver, last_blessed = ([], None) if for_cluster else _last_blessed(trainer)
    unknown = config.judged_by.unknown
    judge = Judge(
        examples=images,
        model=trainer.outputs["model"],
        evaluation=evaluator.outputs["evaluation"],
        evaluator_blessing=evaluator.outputs["blessing"],
        thresholds=config.thresholds,
        settings=config.judged_by,
        model_run=trainer.outputs["model_run"],
        last_blessed_model=last_blessed,
        last_blessed_root=absolute(config.serving_root) if for_cluster else "",
        held_out_partners=config.pairs.held_out.partners,
        held_out_max_images=config.pairs.held_out.max_images,
        pair_seed=config.seed,
        max_pixels=config.data.max_pixels,
        # Of the time of the run: on a cluster that is not now, and the cache is off (`compile`).
        unknown_files=unknown_images.fingerprint(unknown) if unknown and not for_cluster else "",
    )
    infra_check = []
    if config.push.infra_check:
        infra_check.append(
            InfraCheck(
                model=trainer.outputs["model"], examples=images, engine=config.push.infra_check
            )
        )
    pusher = tfx.components.Pusher(
        model=trainer.outputs["model"],
        model_blessing=judge.outputs["blessing"],
        infra_blessing=infra_check[0].outputs["blessing"] if infra_check else None,
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(
                base_directory=absolute(config.serving_root)
            )
        ),
    )
    return tfx.dsl.Pipeline(
        pipeline_name=config.name,
        pipeline_root=config.pipeline_root,
        metadata_connection_config=None
        if for_cluster
        else tfx.orchestration.metadata.sqlite_metadata_connection_config(str(config.metadata)),
        components=[
            example_gen,
            statistics_gen,
            schema_gen,
            example_validator,
            data_check,
            transform,
            pair_gen,
            *search,
            trainer,
            evaluator,
            *resolver,
            judge,
            *infra_check,
            pusher,
        ],
        enable_cache=config.cache,
        beam_pipeline_args=[
            *config.beam.args,
            *_without_package(config.beam.args),
            *beam_arguments(*config.addresses),
        ],
    )


def _without_package(arguments: Sequence[str]) -> list[str]:
    """Options by which TFX does not pack itself for workers elsewhere, where there are none.

    It would at each step that uses Beam: 2 s, and 42 MB that stay in the folder for temporary
    files. It does not where workers have an image, which the DirectRunner does not look at.
    """
    runner = PipelineOptions(list(arguments)).view_as(StandardOptions).runner
    return ["--sdk_container_image=none"] if runner in (None, "DirectRunner") else []


def _last_blessed(
    trainer: tfx.dsl.components.BaseNode,
) -> tuple[list[tfx.dsl.components.BaseNode], tfx.dsl.Channel]:
    """The node that finds the last blessed model, other than this run's, and its output."""
    resolver = tfx.dsl.Resolver(
        strategy_class=LatestOtherBlessedModel,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
        candidate=trainer.outputs["model"],
    ).with_id("latest_blessed_model")
    return [resolver], resolver.outputs["model"]


def _search(
    config: RunConfig, learning: dict[str, Any], settings: dict[str, Any]
) -> tuple[list[tfx.dsl.components.BaseNode], tfx.dsl.Channel | None]:
    """The node that gives the Trainer hyperparameters, and its output, where there is to be one."""
    if config.tuner.enabled:
        search = config.tuner.model_dump_json(exclude={"enabled", "reuse"})
        tuner = tfx.components.Tuner(
            tuner_fn="trainer.tuner_fn.tuner_fn",
            **learning,
            custom_config={
                **settings,
                "search": search,
                "code": code_version("trainer.tuner_fn"),
            },
        )
        return [tuner], tuner.outputs["best_hyperparameters"]
    if config.tuner.reuse:
        found = tfx.dsl.Importer(
            source_uri=absolute(config.tuner.reuse),
            artifact_type=tfx.types.standard_artifacts.HyperParameters,
        ).with_id("FoundHyperparameters")
        return [found], found.outputs["result"]
    return [], None


def _without(section: Any, *keys: str) -> dict[str, Any]:
    return section.model_dump(exclude=set(keys))
