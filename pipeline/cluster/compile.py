"""Compiles the DAG into a file for Kubeflow Pipelines 2 (YAML) or Vertex AI (JSON).

TFX's compiler does most of it. This module adds what TFX cannot express: run-time parameters with
defaults, resources and environment of every component, retries, caching by component, and the
settings of Kubernetes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipeline.cluster import parameters, platform
from pipeline.cluster.checks import check_image
from pipeline.cluster.paths import mounting_components
from pipeline.cluster.settings import Platform
from pipeline.config.errors import ConfigError
from pipeline.config.run_config import RunConfig

COMMAND = ("python", "-m", "pipeline.cluster.task")
"""Entry point of every task; TFX's compiler adds its arguments."""

_TRAINER, _JUDGE, _INFRA_CHECK = "Trainer", "Judge", "InfraCheck"
# Kubeflow creates Argo tasks of these names, which may contain nothing else.
_TASK_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]*")
# The specification passes through the API server, Argo and etcd, whose objects hold 1.5 MB.
_MAX_BYTES = 1_000_000

_MISSING = (
    "kfp-pipeline-spec, which defines Kubeflow's pipeline files, is not installed; install the "
    "extra kubeflow: make setup EXTRAS=kubeflow"
)


class Compiled(NamedTuple):
    """A compiled pipeline.

    Attributes:
        spec: The `PipelineSpec`, as JSON.
        platform: The `PlatformSpec`, or None.
        job: Vertex AI's `PipelineJob`, which contains the spec.
    """

    spec: dict[str, Any]
    platform: dict[str, Any] | None
    job: dict[str, Any]


def platform_of(path: Path) -> Platform:
    """Return the platform that reads a file with this suffix.

    Raises:
        ConfigError: Neither platform does.
    """
    if path.suffix not in (".yaml", ".yml", ".json"):
        raise ConfigError(
            f"{path}: must end in .yaml (Kubeflow Pipelines) or .json (Vertex AI), which read "
            "the format from it"
        )
    return "vertex" if path.suffix == ".json" else "kubeflow"


def write(config: RunConfig, path: Path, chosen: Mapping[str, str | int] | None = None) -> None:
    """Compile into a file, for the platform of its suffix.

    Args:
        config: The run's configuration.
        path: The file.
        chosen: Parameters of the run that is to be submitted. The compiled defaults are those of
            the configuration.

    Raises:
        ConfigError: The suffix is another one, the configuration cannot be compiled, or the file
            would be too large for Kubeflow.
        OSError: The file cannot be written.
    """
    compiled = compile_pipeline(config, platform_of(path), chosen or {})
    if path.suffix == ".json":
        text = json.dumps(compiled.job, indent=1, sort_keys=True)
    else:
        documents = [compiled.spec] + ([compiled.platform] if compiled.platform else [])
        text = yaml.safe_dump_all(documents, sort_keys=True, allow_unicode=True)
    if len(text) > _MAX_BYTES:
        raise ConfigError(
            f"the compiled pipeline has {len(text):,} bytes, more than Kubeflow can store; shorten "
            "the configuration (most likely data.classes)"
        )
    path.write_text(text, encoding="utf-8")


def compile_pipeline(
    config: RunConfig,
    target: Platform = "kubeflow",
    chosen: Mapping[str, str | int] | None = None,
) -> Compiled:
    """Compile the DAG.

    Args:
        config: The run's configuration.
        target: The platform that will run it.
        chosen: Parameters of the run that is to be submitted.

    Raises:
        ConfigError: kfp-pipeline-spec is not installed, no image is named, or a component or GPU
            does not exist.
    """
    check_image(config)
    for name in ("Trainer", *config.kubeflow.components):  # in an instant; TFX takes long to import
        platform.container_resources(name, config.kubeflow, target)
    job = _compile_with_tfx(config)
    spec = job["pipelineSpec"]
    tasks = spec["root"]["dag"]["tasks"]
    platform.check_components(config.kubeflow, list(tasks))
    defaults = _add_parameters(spec, config)
    for name, task in tasks.items():
        _complete_task(name, task, config)
    for name, container in _containers(spec).items():
        _complete_container(name, container, config, target)
    job["runtimeConfig"] = {"parameterValues": defaults}
    if config.kubeflow.pipeline_root:
        job["runtimeConfig"]["gcsOutputDirectory"] = config.kubeflow.pipeline_root
    return Compiled(spec, _platform_spec(spec, config, {**defaults, **(chosen or {})}), job)


def _compile_with_tfx(config: RunConfig) -> dict[str, Any]:
    try:
        from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import (
            KubeflowV2DagRunner,
            KubeflowV2DagRunnerConfig,
        )
    except ImportError as e:
        if not (e.name or "").startswith("kfp"):
            raise
        raise ConfigError(_MISSING) from e
    from pipeline.dag import create_pipeline

    runner = KubeflowV2DagRunner(
        KubeflowV2DagRunnerConfig(
            default_image=config.kubeflow.image,
            default_commands=list(COMMAND),
            use_pipeline_spec_2_1=True,
        )
    )
    return runner.run(create_pipeline(config, for_cluster=True), write_out=False)


def _complete_task(name: str, task: dict[str, Any], config: RunConfig) -> None:
    if not _TASK_NAME.fullmatch(name):
        raise ValueError(f"component {name}: Argo allows letters, digits and hyphens only")
    # Their inputs do not show that these folders or the served model have changed.
    changing = (
        name == _INFRA_CHECK
        or (name == _JUDGE and config.judge.unknown)
        or (name == _TRAINER and config.data.unlabelled)
    )
    cached = config.kubeflow.cache and not changing
    task["cachingOptions"] = {"enableCache": cached}
    if policy := platform.retry_policy(name, config.kubeflow):
        task["retryPolicy"] = policy


def _complete_container(
    name: str, container: dict[str, Any], config: RunConfig, target: Platform
) -> None:
    # TFX's driver of ExampleGen is in a hook that Kubeflow does not call; `task` runs it instead.
    container.pop("lifecycle", None)
    container["resources"] = platform.container_resources(name, config.kubeflow, target)
    if environment := platform.container_environment(config.kubeflow):
        container["env"] = [*container.get("env", []), *environment]


def _platform_spec(
    spec: dict[str, Any], config: RunConfig, values: Mapping[str, Any]
) -> dict[str, Any] | None:
    mounting = {
        volume: mounting_components(volume, config, values) for volume in config.kubeflow.volumes
    }
    configs = {}
    for name in _containers(spec):
        volumes = [volume for volume, components in mounting.items() if name in components]
        configs[_executor(spec, name)] = platform.kubernetes_config(name, config.kubeflow, volumes)
    return platform.platform_spec(configs)


def _add_parameters(spec: dict[str, Any], config: RunConfig) -> dict[str, Any]:
    """Declare the run's parameters and pass them to their tasks; return the defaults."""
    root, tasks = spec["root"], spec["root"]["dag"]["tasks"]
    declared = root.setdefault("inputDefinitions", {}).setdefault("parameters", {})
    defaults = {}
    for parameter in parameters.PARAMETERS:
        defaults[parameter.name] = parameter.default(config)
        declared[parameter.name] = {
            "parameterType": parameter.type,
            "defaultValue": defaults[parameter.name],
        }
        for name in parameter.tasks:
            if name not in tasks:
                continue
            component = spec["components"][tasks[name]["componentRef"]["name"]]
            inputs = component.setdefault("inputDefinitions", {}).setdefault("parameters", {})
            inputs[parameter.name] = {"parameterType": parameter.type}
            given = tasks[name].setdefault("inputs", {}).setdefault("parameters", {})
            given[parameter.name] = {"componentInputParameter": parameter.name}
    return defaults


def _containers(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the containers by task; an importer has none."""
    executors = spec["deploymentSpec"]["executors"]
    return {
        name: executor["container"]
        for name in spec["root"]["dag"]["tasks"]
        if "container" in (executor := executors[_executor(spec, name)])
    }


def _executor(spec: dict[str, Any], task: str) -> str:
    component = spec["root"]["dag"]["tasks"][task]["componentRef"]["name"]
    return spec["components"][component]["executorLabel"]
