"""Checks a configuration before it is compiled or submitted, so that no task fails for it later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.cluster.parameters import SPAN, check_span_fits
from pipeline.cluster.paths import UsedPath, mounting_components, used_paths
from pipeline.cluster.settings import Platform
from pipeline.config.errors import ConfigError
from pipeline.config.run_config import RunConfig, check_beam_workers

_BUCKETS = ("gs://", "s3://")
_KUBERNETES_ONLY = ("image_pull_secrets", "env_from_secrets", "volumes")


def check_cluster(
    config: RunConfig, parameters: Mapping[str, Any], platform: Platform = "kubeflow"
) -> None:
    """Refuse a configuration that cannot run on a cluster.

    Args:
        config: The run's configuration.
        parameters: All parameters of the run, by name (`parameters.complete`).
        platform: Where it will run.

    Raises:
        ConfigError: No image is named; a task could not reach a path; a setting is not available on
            the platform; a volume is mounted nowhere; a span does not fit the data root; or the
            cache would reuse the images of an earlier span.
    """
    check_image(config)
    check_span_fits(parameters)
    _check_pipeline_root(config.kubeflow.pipeline_root, platform)
    _check_beam(config)
    if platform == "vertex":
        _check_vertex(config)
    _check_volumes(config, parameters)
    for used in used_paths(config, parameters):
        _check_reachable(used, config, parameters, platform)
    _check_cache(config, parameters)


def check_image(config: RunConfig) -> None:
    """Refuse a configuration without an image.

    Raises:
        ConfigError: None is named.
    """
    if not config.kubeflow.image:
        raise ConfigError(
            "kubeflow.image: is required: a container image with this project installed, see "
            "docs/kubeflow.md"
        )


def _check_pipeline_root(root: str | None, platform: Platform) -> None:
    if not root:
        raise ConfigError(
            "kubeflow.pipeline_root: is required on a cluster: gs://bucket/folder or "
            "s3://bucket/folder, which every task can read and write"
        )
    if root.startswith("minio://"):
        raise ConfigError(
            f"kubeflow.pipeline_root: {root}: TensorFlow does not read minio:// URIs; write "
            "s3://..., and set MinIO's address and keys for the pods (docs/kubeflow.md)"
        )
    if not root.startswith(_BUCKETS):
        raise ConfigError(
            f"kubeflow.pipeline_root: {root} is a path of one machine; the tasks of a cluster need "
            "gs://bucket/folder or s3://bucket/folder (`siamese kubeflow run-local` takes a path)"
        )
    if platform == "vertex" and not root.startswith("gs://"):
        raise ConfigError(
            f"kubeflow.pipeline_root: {root}: Vertex AI writes to Cloud Storage only; name "
            "gs://bucket/folder"
        )


def _check_beam(config: RunConfig) -> None:
    try:
        check_beam_workers(config.beam, "kubeflow.pipeline_root", config.kubeflow.pipeline_root)
    except ValueError as e:
        raise ConfigError(str(e)) from e


def _check_vertex(config: RunConfig) -> None:
    for key in _KUBERNETES_ONLY:
        if getattr(config.kubeflow, key):
            raise ConfigError(
                f"kubeflow.{key}: Vertex AI has none; remove it (--set kubeflow.{key}=[])"
            )


def _check_volumes(config: RunConfig, parameters: Mapping[str, Any]) -> None:
    for volume in config.kubeflow.volumes:
        if not mounting_components(volume, config, parameters):
            raise ConfigError(
                f"kubeflow.volumes: no component mounts {volume.claim}, since no path of the "
                f"configuration is on {volume.path}; name its `components`, or remove it"
            )


def _check_reachable(
    used: UsedPath, config: RunConfig, parameters: Mapping[str, Any], platform: Platform
) -> None:
    if used.path.startswith(_BUCKETS):
        return
    volumes = [volume for volume in config.kubeflow.volumes if volume.holds(used.path)]
    if not volumes:
        volume = "" if platform == "vertex" else ", or mount a volume there (kubeflow.volumes)"
        raise ConfigError(
            f"{used.key}: {used.path} is a path of this machine; put it in a bucket (gs://, s3://)"
            f"{volume}"
        )
    mounting = frozenset().union(*(mounting_components(v, config, parameters) for v in volumes))
    if missing := [name for name in used.components if name not in mounting]:
        raise ConfigError(
            f"kubeflow.volumes: {', '.join(missing)} must mount {volumes[0].claim} to reach "
            f"{used.key}; add to its `components`, or leave those out"
        )


def _check_cache(config: RunConfig, parameters: Mapping[str, Any]) -> None:
    [data] = [used for used in used_paths(config, parameters) if used.key == "data.root"]
    numbered = str(parameters[SPAN.name]).isdigit()
    if config.kubeflow.cache and "{SPAN}" in data.path and not numbered:
        raise ConfigError(
            "kubeflow.cache: Kubeflow would reuse an earlier span for the newest; name the span "
            "(--param span=7), or turn the cache off"
        )
