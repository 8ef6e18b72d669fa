"""The served models, and which one a request addresses."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator

import grpc
import tensorflow as tf
from tensorflow_serving.apis import model_pb2
from tensorflow_serving.config import model_server_config_pb2

from serving.embedded.model import Model, Pace, VersionStatus
from serving.embedded.servable import DEFAULT_SIGNATURE, Servable
from serving.embedded.statuses import Status, failed_precondition, invalid_argument, not_found
from serving.embedded.version_policy import check_policy

log = logging.getLogger(__name__)


class Catalogue:
    """The models by name, and the labels of their versions.

    Args:
        load: Loads and warms up a version: model name, version, path.
        pace: Intervals of polling and of retries.
        labels_may_wait: Whether a new label may name a version that isn't available yet.
        on_change: Called when the available versions change.
    """

    def __init__(
        self,
        load: Callable[[str, int, str], Servable],
        pace: Pace,
        labels_may_wait: bool = False,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._load = load
        self._pace = pace
        self._labels_may_wait = labels_may_wait
        self._on_change = on_change
        self._changing = threading.Lock()
        self._models: dict[str, Model] = {}
        # Models with a new base path; each replaces the model of its name when it is available.
        self._successors: dict[str, Model] = {}
        self._labels: dict[str, dict[str, int]] = {}

    def knows(self, name: str) -> bool:
        """Return whether there is a model of this name, loaded or not."""
        return name in self._models

    @property
    def ready(self) -> bool:
        """Return whether each model has a version that takes requests."""
        return all(model.is_available() for model in list(self._models.values()))

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
            number = self._labels.get(spec.name, {}).get(spec.version_label)
            if number is None:
                raise invalid_argument(f"Unrecognized servable version label: {spec.version_label}")
        model = self._models.get(spec.name)
        if model is None:
            request = f"Latest({spec.name})"
            if number is not None:
                request = f"Specific({spec.name}, {number})"
            raise not_found(f"Servable not found for request: {request}")
        with model.use(number) as (version, servable):
            yield version, servable

    def statuses(self, spec: model_pb2.ModelSpec) -> list[VersionStatus]:
        """Return the states of a model's versions.

        Args:
            spec: Name, and a version or neither; a label is ignored.

        Raises:
            Status: INVALID_ARGUMENT: no name. NOT_FOUND.
        """
        if not spec.name:
            raise invalid_argument("Missing ModelSpec")
        model = self._models.get(spec.name)
        statuses = [] if model is None else model.statuses()
        asked = spec.name
        if spec.WhichOneof("version_choice") == "version":
            statuses = [each for each in statuses if each.number == spec.version.value]
            asked = f"{spec.name} version {spec.version.value}"
        if not statuses and (model is None or asked != spec.name):
            raise not_found(f"Could not find any versions of model {asked}")
        return statuses

    def configure(self, config: model_server_config_pb2.ModelServerConfig) -> list[Model]:
        """Serve exactly the models of a configuration; don't wait for them.

        Args:
            config: Replaces the last one as a whole, except for labels (see `set_labels`).

        Returns:
            The new models.

        Raises:
            Status: INVALID_ARGUMENT or NOT_FOUND: the configuration is refused as a whole, and
                the served models stay.
        """
        configs = _checked(config)
        with self._changing:
            new = []
            for each in configs:
                current = self._models.get(each.name)
                successor = self._successors.pop(each.name, None)
                if current is not None and current.config.base_path == each.base_path:
                    current.reconfigure(each)
                    continue
                if successor is not None and successor.config.base_path == each.base_path:
                    successor.reconfigure(each)
                    self._successors[each.name] = successor
                    new.append(successor)
                    continue
                fresh = Model(each, self._load, self._pace, self._on_change)
                fresh.start()
                new.append(fresh)
                if current is None:
                    self._models[each.name] = fresh
                else:
                    self._successors[each.name] = fresh
                    threading.Thread(
                        target=self._replace_when_settled,
                        args=(fresh,),
                        name=f"replace {each.name}",
                        daemon=True,
                    ).start()
            names = {each.name for each in configs}
            for name in self._models.keys() - names:
                removed = self._models.pop(name)
                self._successors.pop(name, None)
                self._labels.pop(name, None)
                threading.Thread(target=removed.stop, daemon=True).start()
        self._on_change()
        return new

    def set_labels(self, config: model_server_config_pb2.ModelServerConfig) -> None:
        """Set the labels of a configuration, all or none.

        Raises:
            Status: FAILED_PRECONDITION: a labelled version isn't available.
        """
        labels = {}
        for each in config.model_config_list.config:
            model = self._models.get(each.name)
            held = self._labels.get(each.name, {})
            for label, number in each.version_labels.items():
                may_wait = self._labels_may_wait and label not in held
                if held.get(label) == number or may_wait:
                    continue
                if model is None or not model.is_available(number):
                    raise failed_precondition(
                        f"Request to assign label to version {number} of model {each.name}, "
                        "which is not currently available for inference"
                    )
            labels[each.name] = dict(each.version_labels)
        self._labels = labels

    def reload(
        self, config: model_server_config_pb2.ModelServerConfig, timeout: float | None
    ) -> None:
        """Serve other models, and wait for the new ones.

        Raises:
            Status: See `configure` and `set_labels`. UNKNOWN: a new model can't be loaded.
        """
        end = None if timeout is None else time.monotonic() + timeout
        errors = []
        for model in self.configure(config):
            left = None if end is None else max(0.0, end - time.monotonic())
            error = model.wait_until_settled(left)
            if error is None:
                self._take_over(model)
            else:
                errors.append(f"{{name: {model.name}}} due to error: {error.message}")
        if errors:
            raise Status(
                grpc.StatusCode.UNKNOWN,
                f"{len(errors)} servable(s) did not become available: {{{', '.join(errors)}}}",
            )
        self.set_labels(config)

    def stop(self, timeout: float | None = None) -> None:
        """Unload all models once their requests are finished."""
        with self._changing:
            models = [*self._models.values(), *self._successors.values()]
            self._models, self._successors = {}, {}
        stoppers = [threading.Thread(target=m.stop, args=(timeout,), daemon=True) for m in models]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join(timeout)

    def _replace_when_settled(self, successor: Model) -> None:
        """Wait until a model is available, then let it take over; end it if it isn't needed."""
        while successor.wait_until_settled(None) is not None:
            time.sleep(0.1)
            if self._successors.get(successor.name) is not successor:
                break
        self._take_over(successor)
        if self._models.get(successor.name) is not successor:  # reconfigured meanwhile
            successor.stop()

    def _take_over(self, successor: Model) -> None:
        """Replace the model of the same name, unless that has been done or undone."""
        with self._changing:
            if self._successors.get(successor.name) is not successor:
                return
            del self._successors[successor.name]
            replaced = self._models[successor.name]
            self._models[successor.name] = successor
        threading.Thread(target=replaced.stop, daemon=True).start()
        self._on_change()


def answered_by(asked: model_pb2.ModelSpec, version: int) -> model_pb2.ModelSpec:
    """Return the `model_spec` of an answer: the version and the signature that were used."""
    told = model_pb2.ModelSpec(
        name=asked.name, signature_name=asked.signature_name or DEFAULT_SIGNATURE
    )
    told.version.value = version
    return told


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
        check_policy(each.model_version_policy, each.name)
    for each in configs:
        if not tf.io.gfile.isdir(each.base_path):
            raise not_found(f"Could not find base path {each.base_path} for servable {each.name}")
    return configs
