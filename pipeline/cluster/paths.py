"""The paths and URIs that a configuration names, and the components that use each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.cluster.parameters import DATA_ROOT, PUSH_DESTINATION
from pipeline.cluster.settings import Volume
from pipeline.config.run_config import RunConfig

_READERS = {
    "model.backbone": ("Tuner", "Trainer"),
    "model.weights": ("Tuner", "Trainer"),
    "tuner.reuse": ("Trainer",),
    "judge.unknown": ("Judge",),
    "data.unlabelled": ("Trainer",),
}


class UsedPath(NamedTuple):
    """A path or URI of the configuration.

    Attributes:
        key: The key that names it.
        path: The path.
        components: The components that read or write it.
    """

    key: str
    path: str
    components: tuple[str, ...]


def used_paths(config: RunConfig, parameters: Mapping[str, Any]) -> list[UsedPath]:
    """Return every path outside the pods that the tasks need.

    Args:
        config: The run's configuration.
        parameters: All parameters of the run, by name.
    """
    paths = {key: path for key, path in config.read_from.items() if key in _READERS}
    return [
        UsedPath("data.root", str(parameters[DATA_ROOT.name]), DATA_ROOT.tasks),
        *(UsedPath(key, path, _READERS[key]) for key, path in paths.items()),
        UsedPath(
            "push.destination", str(parameters[PUSH_DESTINATION.name]), PUSH_DESTINATION.tasks
        ),
    ]


def mounting_components(
    volume: Volume, config: RunConfig, parameters: Mapping[str, Any]
) -> frozenset[str]:
    """Return the components that mount a volume."""
    if volume.components is not None:
        return frozenset(volume.components)
    checkpoints = UsedPath("kubeflow.unfinished", config.kubeflow.unfinished, ("Tuner", "Trainer"))
    return frozenset(
        component
        for used in (*used_paths(config, parameters), checkpoints)
        if volume.holds(used.path)
        for component in used.components
    )
