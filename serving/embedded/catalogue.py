"""The served models, and which one a request addresses."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator

import tensorflow as tf
from tensorflow_serving.apis import model_pb2
from tensorflow_serving.config import model_server_config_pb2

from serving.embedded.model import Model, Pace, Version
from serving.embedded.servable import Servable
from serving.embedded.statuses import invalid_argument, not_found


class Catalogue:
    """The models by name, and the labels of their versions.

    Args:
        load: Loads and warms up a version: model name, version, path.
        pace: Intervals of polling and of retries.
    """

    def __init__(self, load: Callable[[str, int, str], Servable], pace: Pace) -> None:
        self._load = load
        self._pace = pace
        self._models: dict[str, Model] = {}
        self._lock = threading.Lock()  # guards the labels
        # By model and label: the version, and the one that it names until that is available.
        self._labels: dict[tuple[str, str], tuple[int, ...]] = {}

    def knows(self, name: str) -> bool:
        """Return whether there is a model of this name, loaded or not."""
        return name in self._models

    @property
    def ready(self) -> bool:
        """Return whether each model has a version that takes requests."""
        models = list(self._models.values())
        return bool(models) and all(model.is_available() for model in models)

    @contextlib.contextmanager
    def use(self, spec: model_pb2.ModelSpec) -> Iterator[tuple[int, Servable]]:
        """Hold the version that a request addresses while it is answered.

        Args:
            spec: Name, and a version, a label or neither, which is the newest version.

        Raises:
            Status: INVALID_ARGUMENT: no name, or an unknown label. NOT_FOUND.
        """
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        kind = spec.WhichOneof("version_choice")
        number = spec.version.value if kind == "version" else None
        if kind == "version_label" and spec.version_label:
            number = self._labelled(spec.name, spec.version_label)
        model = self._models.get(spec.name)
        if model is None:
            request = f"Latest({spec.name})"
            if number is not None:
                request = f"Specific({spec.name}, {number})"
            raise not_found(f"Servable not found for request: {request}")
        with model.use(number) as held:
            yield held

    def statuses(self, spec: model_pb2.ModelSpec) -> list[Version]:
        """Return the states of a model's versions.

        Args:
            spec: Name, and a version or neither; a label is ignored.

        Raises:
            Status: NOT_FOUND.
        """
        model = self._models.get(spec.name)
        statuses = [] if model is None else model.statuses()
        asked = spec.name
        if spec.WhichOneof("version_choice") == "version":
            statuses = [each for each in statuses if each.number == spec.version.value]
            asked = f"{spec.name} version {spec.version.value}"
        if not statuses and (model is None or asked != spec.name):
            raise not_found(f"Could not find any versions of model {asked}")
        return statuses

    def configure(self, config: model_server_config_pb2.ModelServerConfig) -> None:
        """Serve exactly the models of a configuration; don't wait for them.

        Args:
            config: Replaces the last one as a whole. A label that is moved names the version that
                it has named last until the new one is available.

        Raises:
            Status: INVALID_ARGUMENT or NOT_FOUND: the configuration is refused as a whole, and
                the served models stay.
        """
        configs = _checked(config)
        with self._lock:  # before a version is unloaded for this configuration
            named = {key: (self._named(*key),) for key in self._labels}
        for each in configs:
            current = self._models.get(each.name)
            if current is not None:
                current.reconfigure(each)
            else:
                self._models[each.name] = Model(each, self._load, self._pace)
                self._models[each.name].start()
        for name in self._models.keys() - {each.name for each in configs}:
            threading.Thread(target=self._models.pop(name).stop, daemon=True).start()
        with self._lock:
            self._labels = {
                (each.name, label): (number, *named.get((each.name, label), ()))
                for each in configs
                for label, number in each.version_labels.items()
            }

    def _labelled(self, name: str, label: str) -> int:
        with self._lock:
            if (name, label) not in self._labels:
                raise invalid_argument(f"Unrecognized servable version label: {label}")
            return self._named(name, label)

    def _named(self, name: str, label: str) -> int:
        """Return the version that a label names now. Needs the lock."""
        versions, model = self._labels[name, label], self._models.get(name)
        if model is not None and model.is_available(versions[0]):
            versions = self._labels[name, label] = versions[:1]
        return versions[-1]

    def stop(self, timeout: float | None = None) -> None:
        """Unload all models once their requests are finished."""
        models, self._models = list(self._models.values()), {}
        stoppers = [threading.Thread(target=m.stop, args=(timeout,), daemon=True) for m in models]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join(timeout)


def _checked(
    config: model_server_config_pb2.ModelServerConfig,
) -> list[model_server_config_pb2.ModelConfig]:
    if config.WhichOneof("config") == "custom_model_config":
        raise invalid_argument("custom_model_config isn't supported: use model_config_list")
    configs = list(config.model_config_list.config)
    names = set()
    for each in configs:
        if not each.name:
            raise invalid_argument("A model of model_config_list has no name")
        if each.name in names:
            raise invalid_argument(f"Illegal to list model {each.name} multiple times")
        names.add(each.name)
        if each.model_platform not in ("", "tensorflow"):
            raise invalid_argument(
                f"Model {each.name}: model_platform is '{each.model_platform}', and only "
                "'tensorflow' is supported"
            )
        is_uri = re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", each.base_path)
        if not (is_uri or os.path.isabs(each.base_path)):
            raise invalid_argument(
                f"Expected model {each.name} to have an absolute path or URI; got "
                f"base_path()={each.base_path}"
            )
        policy = each.model_version_policy
        if policy.WhichOneof("policy_choice") == "specific" and not policy.specific.versions:
            raise invalid_argument(
                f"Model {each.name}: model_version_policy.specific names no versions"
            )
    for each in configs:
        if not tf.io.gfile.isdir(each.base_path):
            raise not_found(f"Could not find base path {each.base_path} for servable {each.name}")
    return configs
