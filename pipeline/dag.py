"""The DAG on one page: images to examples to pairs to a model, which is judged and pushed.

Nothing here depends on a runner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from tfx.components import (
    Evaluator,
    ExampleValidator,
    StatisticsGen,
    Trainer,
    Transform,
    Tuner,
)
from tfx.dsl.components.base.base_node import BaseNode as Node
from tfx.dsl.components.common.importer import Importer
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.proto.pusher_pb2 import PushDestination
from tfx.proto.trainer_pb2 import EvalArgs, TrainArgs
from tfx.proto.transform_pb2 import SplitsConfig
from tfx.types import standard_artifacts
from tfx.types.channel import Channel

from components.code_version import code_version
from components.data_check.component import DataCheck
from components.image_example_gen.component import ImageExampleGen
from components.image_schema_gen.component import ImageSchemaGen
from components.infra_check.component import InfraCheck
from components.judge.component import Judge
from components.last_blessed_model.resolver import LatestOtherBlessedModel
from components.out_of_fold_model.component import OutOfFoldModel
from components.pair_gen.component import PairGen
from components.push.component import Pusher
from images import image_folder
from pipeline.config.folds import folds_of
from pipeline.config.run_config import RunConfig
from pipeline.evaluator_config import eval_config
from records import features
from storage.enrolled_images import fingerprint
from storage.file_systems import absolute


def create_pipeline(config: RunConfig, for_cluster: bool = False) -> Pipeline:
    """Return the pipeline of a configuration, with all components connected.

    Args:
        config: The run's configuration.
        for_cluster: Omit what Kubeflow Pipelines does not run (TFX's Resolver) and what belongs to
            this machine (the metadata database).
    """
    folds = folds_of(config)
    example_gen = ImageExampleGen(
        **_without(config.data, "root", "unlabelled"),
        root=absolute(config.data.root),
        split_by=config.splits.by,
        **_without(config.splits, "by", "folds"),
        folds=folds,
        range=_value_range(config),
        region=config.image.region.model_dump() if config.image.region else None,
        seed=config.seed,
    )
    images = example_gen.outputs["examples"]
    statistics_gen = StatisticsGen(examples=images)
    schema_gen = ImageSchemaGen(examples=images)
    schema = schema_gen.outputs["schema"]
    example_validator = ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema
    )
    anomalies = example_validator.outputs["anomalies"]
    data_check = DataCheck(
        examples=images,
        anomalies=anomalies,
        split_by=config.splits.by,
        audit_settings=config.audit_settings.model_dump_json(),
    )

    transform = _transform(config, images, schema, folds)
    transform.add_upstream_node(data_check)
    pair_gen = PairGen(
        examples=transform.outputs["transformed_examples"],
        **config.pairs.train.model_dump(),
        **_held_out_pairs(config),
        seed=config.seed,
        folds=folds or 0,
    )
    pairs, graph = pair_gen.outputs["pairs"], transform.outputs["transform_graph"]

    search, trainer = _train(config, pairs, graph, folds, for_cluster)
    model = trainer.outputs["model"]
    # With folds, the pairs are of images that the model has learned from.
    unseen = [OutOfFoldModel(trained=model)] if folds else []
    evaluator = Evaluator(
        examples=pairs,
        model=unseen[0].outputs["model"] if unseen else model,
        eval_config=eval_config(config.thresholds),
        example_splits=[features.TEST],
    )
    resolver, judge = _judge(config, images, trainer, evaluator, for_cluster)
    infra_check = InfraCheck(
        model=model,
        examples=images,
        engine=config.push.infra_check or "",
        **_enrolled(config, for_cluster),
    )
    base_directory = absolute(config.serving_root)
    pusher = Pusher(
        model=model,
        model_blessing=judge.outputs["blessing"],
        infra_blessing=infra_check.outputs["blessing"],
        push_destination=PushDestination(
            filesystem=PushDestination.Filesystem(base_directory=base_directory)
        ),
    )
    return _pipeline(
        config,
        [example_gen, statistics_gen, schema_gen, example_validator, data_check, transform,
         pair_gen, *search, trainer, *unseen, evaluator, *resolver, judge, infra_check, pusher],
        for_cluster,
    )  # fmt: skip


def _transform(config: RunConfig, images: Channel, schema: Channel, folds: int | None) -> Node:
    splits = [features.TRAIN] if folds else list(features.SPLITS)
    code = code_version("components.transform.preprocessing")
    return Transform(
        examples=images,
        schema=schema,
        preprocessing_fn="components.transform.preprocessing.preprocessing_fn",
        custom_config={**_without(config.image, "range"), "code": code},
        # Statistics of serialized pixels are useless and slow.
        disable_statistics=True,
        splits_config=SplitsConfig(analyze=[features.TRAIN], transform=splits),
    )


def _train(
    config: RunConfig,
    pairs: Channel,
    transform_graph: Channel,
    folds: int | None,
    for_cluster: bool,
) -> tuple[list[Node], Node]:
    """Return the node that provides hyperparameters, if the configuration asks, and the Trainer."""
    here = absolute(config.root / "unfinished")
    custom_config = {
        "image_size": config.image.size,
        "tiles": config.image.as_tiles().model_dump_json(),
        "max_pixels": config.data.max_pixels,
        "seed": config.seed,
        "folds": folds or 0,
        "model": config.model.model_dump_json(),
        "training": config.training.model_dump_json(),
        "unfinished": config.kubeflow.unfinished if for_cluster else here,
    }
    arguments: dict[str, Any] = {
        "examples": pairs,
        "transform_graph": transform_graph,
        "train_args": TrainArgs(splits=[features.TRAIN]),
        # With folds there are no such pairs, and TFX wants the name of a split.
        "eval_args": EvalArgs(splits=[features.TEST if folds else features.VALIDATION]),
    }
    nodes, hyperparameters = [], None
    if config.tuner.enabled:
        search = config.tuner.model_dump_json(exclude={"enabled", "reuse"})
        tuner = Tuner(
            tuner_fn="trainer.tuner_fn.tuner_fn",
            custom_config={
                **custom_config,
                "search": search,
                "code": code_version("trainer.tuner_fn"),
            },
            **arguments,
        )
        nodes, hyperparameters = [tuner], tuner.outputs["best_hyperparameters"]
    elif config.tuner.reuse:
        importer = Importer(
            source_uri=absolute(config.tuner.reuse),
            artifact_type=standard_artifacts.HyperParameters,
        ).with_id("FoundHyperparameters")
        nodes, hyperparameters = [importer], importer.outputs["result"]
    trainer = Trainer(
        run_fn="trainer.run_fn.run_fn",
        hyperparameters=hyperparameters,
        custom_config={
            **custom_config,
            **_enrolled(config, for_cluster),
            **_unlabelled(config, for_cluster),
            "code": code_version("trainer.run_fn"),
        },
        **arguments,
    )
    return nodes, trainer


def _judge(
    config: RunConfig, images: Channel, trainer: Node, evaluator: Node, for_cluster: bool
) -> tuple[list[Node], Judge]:
    """Return the node that finds the last blessed model, unless for a cluster, and the Judge."""
    nodes, last_blessed_model = [], None
    if not for_cluster:
        resolver = Resolver(
            strategy_class=LatestOtherBlessedModel,
            model=Channel(type=standard_artifacts.Model),
            model_blessing=Channel(type=standard_artifacts.ModelBlessing),
            candidate=trainer.outputs["model"],
        ).with_id("latest_blessed_model")
        nodes, last_blessed_model = [resolver], resolver.outputs["model"]
    unknown = config.judged_by.unknown
    judge = Judge(
        examples=images,
        model=trainer.outputs["model"],
        model_run=trainer.outputs["model_run"],
        evaluation=evaluator.outputs["evaluation"],
        evaluator_blessing=evaluator.outputs["blessing"],
        last_blessed_model=last_blessed_model,
        last_blessed_root=absolute(config.serving_root) if for_cluster else "",
        thresholds=config.thresholds,
        settings=config.judged_by,
        **_held_out_pairs(config),
        pair_seed=config.seed,
        max_pixels=config.data.max_pixels,
        # The files at the time of the run: on a cluster that is later, and its cache is off.
        unknown_files=image_folder.fingerprint(unknown) if unknown and not for_cluster else "",
    )
    return nodes, judge


def _pipeline(config: RunConfig, components: list[Node], for_cluster: bool) -> Pipeline:
    connection = sqlite_metadata_connection_config(str(config.metadata))
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=config.pipeline_root,
        metadata_connection_config=None if for_cluster else connection,
        components=components,
        enable_cache=config.cache,
        beam_pipeline_args=[
            *config.beam.args,
            *_no_packaging(config.beam.args),
        ],
    )


def _no_packaging(beam_args: Sequence[str]) -> list[str]:
    """Return options that keep TFX from packaging itself for Beam workers on this machine.

    Each step that uses Beam would take 2 s more and leave 42 MB in the folder for temporary files.
    TFX packages nothing for workers with a container image, which the DirectRunner ignores.
    """
    runner = PipelineOptions(list(beam_args)).view_as(StandardOptions).runner
    return ["--sdk_container_image=none"] if runner in (None, "DirectRunner") else []


def _enrolled(config: RunConfig, for_cluster: bool) -> dict[str, str]:
    """Return the base path of the served model, and a fingerprint of its enrolled images.

    On a cluster a task finds them when it runs: they are not known when the DAG is compiled.
    """
    if config.push.enrolled == "drop":
        return {"served": "", "enrolled": ""}
    served = absolute(config.serving_root)
    return {"served": served, "enrolled": "" if for_cluster else fingerprint(served)}


def _unlabelled(config: RunConfig, for_cluster: bool) -> dict[str, str]:
    """Return the folder of the unlabelled images, and a fingerprint of them, as for `judge`."""
    if not config.data.unlabelled:
        return {}
    folder = absolute(config.data.unlabelled)
    files = "" if for_cluster else image_folder.fingerprint(folder)
    return {"unlabelled": folder, "unlabelled_files": files}


def _held_out_pairs(config: RunConfig) -> dict[str, int]:
    held_out = config.pairs.held_out
    return {"held_out_partners": held_out.partners, "held_out_max_images": held_out.max_images}


def _value_range(config: RunConfig) -> tuple[float, float] | None:
    found = config.image.range
    return None if found == "auto" else (found.low, found.high)


def _without(section: Any, *keys: str) -> dict[str, Any]:
    return section.model_dump(exclude=set(keys))
