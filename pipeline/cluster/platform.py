"""What each task's pod gets: resources, environment, Secrets, volumes, nodes, retries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pipeline.cluster.settings import Kubeflow, Platform, Resources, Volume
from pipeline.config.errors import ConfigError


def resources_of(component: str, kubeflow: Kubeflow) -> Resources:
    """Return a component's resources: its own keys, and those of `kubeflow.resources`."""
    own = kubeflow.components.get(component)
    if own is None:
        return kubeflow.resources
    given = {name: getattr(own, name) for name in own.model_fields_set}
    return kubeflow.resources.model_copy(update=given)


def check_components(kubeflow: Kubeflow, components: Collection[str]) -> None:
    """Check the names of components in the configuration.

    Args:
        kubeflow: The configuration.
        components: The components of the pipeline.

    Raises:
        ConfigError: The pipeline has no component of a name.
    """
    named = {f"kubeflow.components.{name}": name for name in kubeflow.components} | {
        f"kubeflow.volumes.{number}.components: {name}": name
        for number, volume in enumerate(kubeflow.volumes)
        for name in volume.components or ()
    }
    for key, name in named.items():
        if name not in components:
            raise ConfigError(
                f"{key}: the pipeline has no such component; it has {', '.join(components)}"
            )


def container_resources(component: str, kubeflow: Kubeflow, platform: Platform) -> dict[str, Any]:
    """Return a container's `ResourceSpec` as JSON.

    Raises:
        ConfigError: The GPU's name is one of the other platform.
    """
    resources = resources_of(component, kubeflow)
    spec: dict[str, Any] = {}
    if resources.cpu:
        spec["cpuLimit"] = resources.cpu
    if resources.memory_gb:
        spec["memoryLimit"] = resources.memory_gb
    if resources.gpu_count:
        gpu = str(resources.gpu_type)
        if (platform == "vertex") == ("/" in gpu):
            owner, example = {
                "vertex": ("Vertex AI", "NVIDIA_TESLA_T4"),
                "kubeflow": ("Kubernetes", "nvidia.com/gpu"),
            }[platform]
            raise ConfigError(
                f"kubeflow: gpu_type {gpu!r} of {component} is not {owner}'s name for a GPU; use a "
                f"name such as {example}"
            )
        # An int64, which the JSON of protocol buffers writes as a string.
        spec["accelerator"] = {"type": gpu, "count": str(resources.gpu_count)}
    return spec


def container_environment(kubeflow: Kubeflow) -> list[dict[str, str]]:
    """Return a container's `EnvVar` messages as JSON."""
    return [{"name": name, "value": value} for name, value in kubeflow.env.items()]


def retry_policy(component: str, kubeflow: Kubeflow) -> dict[str, Any] | None:
    """Return a task's `RetryPolicy` as JSON: each wait is twice as long as the one before."""
    retries = resources_of(component, kubeflow).retries
    if not retries:
        return None
    return {
        "maxRetryCount": retries,
        "backoffDuration": "30s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": "600s",
    }


def kubernetes_config(
    component: str, kubeflow: Kubeflow, volumes: Iterable[Volume]
) -> dict[str, Any]:
    """Return a task's `KubernetesExecutorConfig`, a message of kfp-kubernetes, as JSON.

    kfp-kubernetes itself writes it for tasks of Kubeflow's DSL only. Names of Secrets and claims
    are written to the older fields, which all versions of Kubeflow Pipelines 2 read.

    Args:
        component: The component.
        kubeflow: The configuration.
        volumes: The volumes that the component mounts.
    """
    resources = resources_of(component, kubeflow)
    config: dict[str, Any] = {
        "imagePullSecret": [{"secretName": name} for name in kubeflow.image_pull_secrets],
        "secretAsEnv": [
            {
                "secretName": one.secret,
                "keyToEnv": [
                    {"secretKey": key, "envVar": variable} for variable, key in one.env.items()
                ],
            }
            for one in kubeflow.env_from_secrets
        ],
        "tolerations": [t.model_dump(exclude_none=True) for t in resources.tolerations or ()],
        "pvcMount": [{"constant": each.claim, "mountPath": each.path} for each in volumes],
    }
    if resources.node_selector:
        config["nodeSelector"] = {"labels": resources.node_selector}
    if resources.timeout_minutes:
        config["activeDeadlineSeconds"] = str(resources.timeout_minutes * 60)
    if resources.scratch_gb:
        size = f"{round(resources.scratch_gb * 1000)}M"
        config["emptyDirMounts"] = [
            {"volumeName": "scratch", "mountPath": "/tmp", "sizeLimit": size}
        ]
    return {name: value for name, value in config.items() if value}


def platform_spec(configs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the second document of a pipeline file, Kubeflow's `PlatformSpec`.

    Args:
        configs: The `KubernetesExecutorConfig` of each executor, by the executor's name.

    Returns:
        The message as JSON; None where every config is empty.
    """
    executors = {name: config for name, config in configs.items() if config}
    if not executors:
        return None
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
