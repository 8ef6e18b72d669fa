"""What each task's pod gets: processors, memory, GPUs, nodes, volumes, retries, time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.cluster.settings import Kubeflow, Resources
from pipeline.config.errors import ConfigError


def resources_of(component: str, kubeflow: Kubeflow) -> Resources:
    """A component's resources: its own where it has some, else those of all."""
    own = kubeflow.components.get(component)
    if own is None:
        return kubeflow.resources
    said = {name: getattr(own, name) for name in own.model_fields_set}
    return kubeflow.resources.model_copy(update=said)


def check_components(kubeflow: Kubeflow, components: list[str]) -> None:
    """Refuse resources for a component that the pipeline doesn't have.

    Raises:
        ConfigError: There is no such component.
    """
    for name in kubeflow.components:
        if name not in components:
            raise ConfigError(
                f"kubeflow.components.{name}: the pipeline has no such component; it has "
                f"{', '.join(components)}"
            )


def container_resources(component: str, kubeflow: Kubeflow, for_vertex: bool) -> dict[str, Any]:
    """Kubeflow's `ResourceSpec`, as JSON.

    Raises:
        ConfigError: The GPU's type is one of the other platform.
    """
    resources = resources_of(component, kubeflow)
    spec: dict[str, Any] = {}
    if resources.cpu:
        spec["cpuLimit"] = resources.cpu
    if resources.memory_gb:
        spec["memoryLimit"] = resources.memory_gb
    if resources.gpu_count:
        gpu = str(resources.gpu_type)
        if for_vertex == ("/" in gpu):
            here, example = (
                ("Vertex AI", "NVIDIA_TESLA_T4") if for_vertex else ("Kubernetes", "nvidia.com/gpu")
            )
            raise ConfigError(
                f"kubeflow: gpu_type {gpu!r} of {component} is not {here}'s name for a GPU; it is "
                f"one such as {example}"
            )
        # Kubeflow reads the count of an int64, which JSON writes as a string.
        spec["accelerator"] = {"type": gpu, "count": str(resources.gpu_count)}
    return spec


def retry_policy(component: str, kubeflow: Kubeflow) -> dict[str, Any] | None:
    """Kubeflow's `RetryPolicy` as JSON: each wait is twice as long as the one before."""
    retries = resources_of(component, kubeflow).retries
    if not retries:
        return None
    return {
        "maxRetryCount": retries,
        "backoffDuration": "30s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": "600s",
    }


def kubernetes_config(component: str, kubeflow: Kubeflow) -> dict[str, Any]:
    """What Kubernetes alone knows, as the `KubernetesExecutorConfig` of kfp-kubernetes, in JSON.

    Written here and not by kfp-kubernetes, whose functions take tasks of Kubeflow's own DSL, and
    whose newest version for protobuf 3 knows neither tolerations nor timeouts. What counts is what
    the cluster's version reads.
    """
    resources = resources_of(component, kubeflow)
    config: dict[str, Any] = {}
    if resources.node_selector:
        config["nodeSelector"] = {"labels": resources.node_selector}
    if resources.tolerations:
        config["tolerations"] = [t.model_dump(exclude_none=True) for t in resources.tolerations]
    if resources.timeout_minutes:
        config["activeDeadlineSeconds"] = str(resources.timeout_minutes * 60)
    if kubeflow.volumes:
        config["pvcMount"] = [
            {"constant": volume.claim, "mountPath": volume.path} for volume in kubeflow.volumes
        ]
    return config


def platform_spec(executors: Mapping[str, str], kubeflow: Kubeflow) -> dict[str, Any] | None:
    """The second document of a pipeline file, Kubeflow's `PlatformSpec`; None where all is default.

    Args:
        executors: The name of each component's executor in the pipeline's spec, by component.
        kubeflow: The configuration.
    """
    configs = {
        executor: config
        for component, executor in executors.items()
        if (config := kubernetes_config(component, kubeflow))
    }
    if not configs:
        return None
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": configs}}}}
