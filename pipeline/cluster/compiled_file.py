"""Reads the files that `compile` writes, without TFX and kfp."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.errors import ConfigError


class Spec:
    """A compiled pipeline: Kubeflow's `PipelineSpec`.

    Args:
        values: The message as JSON.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.name: str = values["pipelineInfo"]["name"]
        self.tasks: dict[str, Any] = values["root"]["dag"]["tasks"]
        self.parameters: dict[str, Any] = (
            values["root"].get("inputDefinitions", {}).get("parameters", {})
        )
        self.executors: dict[str, Any] = values["deploymentSpec"]["executors"]
        self._components = values["components"]

    def component(self, task: str) -> dict[str, Any]:
        """Return the `ComponentSpec` of a task."""
        return self._components[self.tasks[task]["componentRef"]["name"]]

    def executor(self, task: str) -> dict[str, Any]:
        """Return the `ExecutorSpec` of a task: a container or an importer."""
        return self.executors[self.component(task)["executorLabel"]]

    def upstream(self, task: str) -> set[str]:
        """Return the tasks that must end before this one starts."""
        inputs = self.tasks[task].get("inputs", {}).get("artifacts", {}).values()
        producers = {one["taskOutputArtifact"]["producerTask"] for one in inputs}
        return producers | set(self.tasks[task].get("dependentTasks", ()))


def read_spec(path: Path) -> Spec:
    """Return the pipeline of a compiled file, for Kubeflow Pipelines or Vertex AI.

    Raises:
        ConfigError: The file cannot be read or is not a compiled pipeline.
    """
    try:
        values = next(iter(yaml.safe_load_all(path.read_text(encoding="utf-8"))), None)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as e:
        raise ConfigError(f"{path}: cannot be read as a compiled pipeline ({e})") from e
    values = values.get("pipelineSpec", values) if isinstance(values, dict) else {}
    if "root" not in values or "deploymentSpec" not in values:
        raise ConfigError(
            f"{path}: is not a compiled pipeline; `siamese kubeflow compile` writes one"
        )
    return Spec(values)


def is_compiled(path: Path) -> bool:
    """Return whether a file looks like a compiled pipeline rather than a configuration."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return True  # read_spec reports the error
    return '"pipelineSpec"' in text or "\ndeploymentSpec:" in text
