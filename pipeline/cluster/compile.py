"""Writes the DAG as a file that Kubeflow Pipelines 2 (YAML) or Vertex AI (JSON) runs.

TFX's compiler does most; what it cannot say is added to its output: run-time parameters with
defaults, resources of every component, retries, caching by component, and what Kubernetes alone
knows.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipeline.cluster import parameters, platform
from pipeline.config.errors import ConfigError
from pipeline.config.run_config import RunConfig

COMMAND = ("python", "-m", "pipeline.cluster.task")
"""Of every task; TFX's compiler gives it TFX's arguments."""

_JUDGE, _INFRA_CHECK = "Judge", "InfraCheck"
# Kubeflow makes Argo's tasks of these names.
_TASK_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]*")
# The specification goes through the API server, Argo and etcd, whose objects hold 1.5 MB.
_LARGEST = 1_000_000

_MISSING = (
    "the messages of Kubeflow Pipelines are not installed (kfp-pipeline-spec); install the extra "
    "kubeflow: make setup EXTRAS=kubeflow"
)


class Compiled(NamedTuple):
    """A compiled pipeline.

    Attributes:
        spec: Kubeflow's `PipelineSpec`, as JSON.
        platform: Its `PlatformSpec`, or None.
        job: Vertex AI's `PipelineJob`, which holds the spec.
    """

    spec: dict[str, Any]
    platform: dict[str, Any] | None
    job: dict[str, Any]


def compile_pipeline(config: RunConfig, for_vertex: bool = False) -> Compiled:
    """Compile the DAG.

    Args:
        config: The run's configuration; `kubeflow` says where it will run.
        for_vertex: For Vertex AI rather than Kubeflow Pipelines.

    Raises:
        ConfigError: kfp-pipeline-spec is missing, or the configuration names no image, or resources
            that there are not.
    """
    if not config.kubeflow.image:
        raise ConfigError(
            "kubeflow.image: is needed to compile: a container image with this project installed, "
            "see docs/kubeflow.md"
        )
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

    pipeline = create_pipeline(config, for_cluster=True)
    runner = KubeflowV2DagRunner(
        KubeflowV2DagRunnerConfig(
            default_image=config.kubeflow.image,
            default_commands=list(COMMAND),
            use_pipeline_spec_2_1=True,
        )
    )
    job = runner.run(pipeline, write_out=False)
    spec = job["pipelineSpec"]
    tasks = spec["root"]["dag"]["tasks"]
    platform.check_components(config.kubeflow, list(tasks))
    defaults = _add_parameters(spec, config)
    for name, task in tasks.items():
        if not _TASK_NAME.fullmatch(name):
            raise ValueError(f"component {name}: Argo takes letters, digits and hyphens alone")
        # Their inputs do not tell whether judge.unknown or the served model has changed.
        cached = config.kubeflow.cache and not (
            (name == _JUDGE and config.judge.unknown) or name == _INFRA_CHECK
        )
        task["cachingOptions"] = {"enableCache": cached}
        if policy := platform.retry_policy(name, config.kubeflow):
            task["retryPolicy"] = policy
    executors = {name: _executor(spec, name) for name in tasks}
    for name, executor in executors.items():
        container = spec["deploymentSpec"]["executors"][executor].get("container")
        if container is None:  # an importer
            continue
        # TFX's driver of ExampleGen in a hook that Kubeflow does not call; `task` runs ours.
        container.pop("lifecycle", None)
        container["resources"] = platform.container_resources(name, config.kubeflow, for_vertex)
    job["runtimeConfig"] = {"parameterValues": defaults}
    if config.kubeflow.pipeline_root:
        job["runtimeConfig"]["gcsOutputDirectory"] = config.kubeflow.pipeline_root
    return Compiled(spec, platform.platform_spec(executors, config.kubeflow), job)


def write(config: RunConfig, path: Path) -> None:
    """Compile into a file: a name that ends in .json is for Vertex AI, in .yaml for Kubeflow.

    Raises:
        ConfigError: The name ends otherwise, the configuration cannot be compiled, or the file
            would be too large for Kubeflow.
        OSError: The file cannot be written.
    """
    if path.suffix not in (".yaml", ".yml", ".json"):
        raise ConfigError(
            f"{path}: name it .yaml for Kubeflow Pipelines or .json for Vertex AI, which know a "
            "file by that"
        )
    compiled = compile_pipeline(config, for_vertex=path.suffix == ".json")
    if path.suffix == ".json":
        text = json.dumps(compiled.job, indent=1, sort_keys=True)
    else:
        documents = [compiled.spec] + ([compiled.platform] if compiled.platform else [])
        text = yaml.safe_dump_all(documents, sort_keys=True, allow_unicode=True)
    if len(text) > _LARGEST:
        raise ConfigError(
            f"the compiled pipeline has {len(text):,} bytes, more than Kubeflow can store; shorten "
            "the configuration (data.classes, most likely)"
        )
    path.write_text(text, encoding="utf-8")


def _add_parameters(spec: dict[str, Any], config: RunConfig) -> dict[str, Any]:
    """Declare the run's parameters and lead them to their tasks; returns the defaults."""
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


def _executor(spec: dict[str, Any], task: str) -> str:
    component = spec["root"]["dag"]["tasks"][task]["componentRef"]["name"]
    return spec["components"][component]["executorLabel"]
