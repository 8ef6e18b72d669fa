"""Refuses, before a run is submitted, what its pods could not read or write."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.cluster.parameters import DATA_ROOT, PUSH_DESTINATION, SPAN
from pipeline.config.errors import ConfigError
from pipeline.config.run_config import RunConfig

_SHARED = ("gs://", "s3://")


def check_reachable(config: RunConfig, parameters: Mapping[str, str | int]) -> None:
    """Refuse paths of this machine, and what else cannot work on a cluster.

    Args:
        config: The run's configuration.
        parameters: The run's, complete.

    Raises:
        ConfigError: A path is none of the cluster's; or the cache would take old images for new.
    """
    root = config.kubeflow.pipeline_root
    if not root:
        raise ConfigError(
            "kubeflow.pipeline_root: is needed on a cluster: gs://bucket/folder or "
            "s3://bucket/folder, which every task can read and write"
        )
    if root.startswith("minio://"):
        raise ConfigError(
            f"kubeflow.pipeline_root: {root}: TensorFlow reads no minio:// addresses; write "
            "s3://..., and tell the pods MinIO's address (docs/kubeflow.md)"
        )
    if not root.startswith(_SHARED):
        raise ConfigError(
            f"kubeflow.pipeline_root: {root} is a path of one machine; a cluster's tasks need "
            "gs://bucket/folder or s3://bucket/folder (`siamese kubeflow run-local` takes a path)"
        )
    paths = {
        **config.read_from,
        "data.root": str(parameters[DATA_ROOT.name]),
        "push.destination": str(parameters[PUSH_DESTINATION.name]),
    }
    for key, path in paths.items():
        if not _is_reachable(path, config):
            raise ConfigError(
                f"{key}: {path} is a path of this machine; put it in a bucket (gs://, s3://), or "
                "mount a volume at it or above (kubeflow.volumes)"
            )
    if config.kubeflow.cache and "{SPAN}" in paths["data.root"] and not _is_number(parameters):
        raise ConfigError(
            "kubeflow.cache: Kubeflow would take the span of an earlier run for the newest; name "
            "the span (--param span=7), or turn the cache off"
        )


def _is_reachable(path: str, config: RunConfig) -> bool:
    below = [volume.path.rstrip("/") for volume in config.kubeflow.volumes]
    return path.startswith(_SHARED) or any(
        path == place or path.startswith(place + "/") for place in below
    )


def _is_number(parameters: Mapping[str, str | int]) -> bool:
    return str(parameters[SPAN.name]).isdigit()
