"""One model: its versions on disk and in memory. Swaps them without losing a request."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Set
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from serving.embedded.memory import return_freed
from serving.embedded.servable import Servable
from serving.embedded.statuses import Status, from_exception, not_found
from storage.model_versions import complete_versions

log = logging.getLogger(__name__)

_REPORTED_ENDED = 20


class State(IntEnum):
    """State of a version, numbered as in `ModelVersionStatus`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass
class Version:
    """A version of a model that is, was or will be served."""

    number: int
    path: str
    state: State = State.START
    error: Status | None = None
    servable: Servable | None = None
    in_flight: int = 0
    failures: int = 0
    retry_at: float = 0.0


@dataclass(frozen=True)
class Pace:
    """Intervals of polling and of retries.

    Attributes:
        poll_seconds: Interval at which the folder is polled; 0 polls once.
        most_retries: Maximum of retries of a failed load.
        retry_seconds: Pause before a retry.
    """

    poll_seconds: float = 1.0
    most_retries: int = 5
    retry_seconds: float = 60.0


class Model:
    """A model whose folder is polled by a thread of its own.

    Args:
        config: A `ModelConfig`: name, base path and version policy.
        load: Loads and warms up a version: model name, version, path.
        pace: Intervals of polling and of retries.
    """

    def __init__(self, config: Any, load: Callable[[str, int, str], Servable], pace: Pace) -> None:
        self.name: str = config.name
        self._config = config
        self._load = load
        self._pace = pace
        self._changed = threading.Condition()  # guards all that follows
        self._versions: dict[int, Version] = {}
        self._wanted: Set[int] | None = None  # None until the folder is listed
        self._look_now = True
        self._stopping = False
        self._thread = threading.Thread(target=self._watch, name=f"watch {self.name}", daemon=True)

    def start(self) -> None:
        """Start to poll the folder."""
        self._thread.start()

    def stop(self, timeout: float | None = None) -> None:
        """Refuse new requests, finish the running ones, and unload all versions."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def reconfigure(self, config: Any) -> None:
        """Follow another base path or version policy from now on.

        A loaded version stays where it came from, as in TensorFlow Serving: another folder's
        version of the same number isn't loaded.
        """
        with self._changed:
            self._config = config
            self._look_now = True
            self._changed.notify_all()

    @contextlib.contextmanager
    def use(self, number: int | None = None) -> Iterator[tuple[int, Servable]]:
        """Hold a version, which isn't unloaded until it is released.

        Args:
            number: The version; None for the newest available one.

        Raises:
            Status: NOT_FOUND: it isn't available.
        """
        with self._changed:
            version = self._available(number)
            if version is None:
                asked = f"Latest({self.name})" if number is None else self._specific(number)
                raise not_found(f"Servable not found for request: {asked}")
            servable = version.servable
            version.in_flight += 1
        assert servable is not None
        try:
            yield version.number, servable
        finally:
            del servable
            with self._changed:
                version.in_flight -= 1
                if not version.in_flight and version.state is not State.AVAILABLE:
                    self._changed.notify_all()

    def is_available(self, number: int | None = None) -> bool:
        """Return whether a version, or any, takes requests."""
        with self._changed:
            return self._available(number) is not None

    def statuses(self) -> list[Version]:
        """Return the versions without their models, the newest first."""
        with self._changed:
            versions = sorted(self._versions.values(), key=lambda v: -v.number)
            return [replace(version, servable=None) for version in versions]

    def _specific(self, number: int) -> str:
        return f"Specific({self.name}, {number})"

    def _available(self, number: int | None) -> Version | None:
        available = {n: v for n, v in self._versions.items() if v.state is State.AVAILABLE}
        return available.get(max(available, default=0) if number is None else number)

    # What follows runs in the model's own thread.

    def _watch(self) -> None:
        while self._wait():
            self._load_what_is_due()
            with self._changed:
                if not self._look_now:
                    self._unload_what_is_not_wanted()
        with self._changed:
            threads = [self._unload(v) for v in self._versions.values() if v.servable]
        for thread in threads:
            thread.join()

    def _wait(self) -> bool:
        """Wait until something is due, and search the folder; return False at the end."""
        with self._changed:
            now = time.monotonic()
            due = [version.retry_at - now for version in self._pending()]
            pause = min([self._pace.poll_seconds or 3600.0, 3600.0, *due])
            self._changed.wait_for(lambda: self._stopping or self._look_now, max(0.0, pause))
            look = self._look_now or self._pace.poll_seconds
            self._look_now = False
            stopping = self._stopping
        if look and not stopping:
            self._look()
        return not stopping

    def _look(self) -> None:
        base_path = self._config.base_path
        try:
            found = complete_versions(base_path)
        except Exception as e:  # loaded versions are still served
            log.warning("%s: can't list %s: %s", self.name, base_path, from_exception(e).message)
            return
        wanted = _chosen(self._config.model_version_policy, found)
        if not wanted and self._wanted != wanted:
            log.warning("%s: no version to serve in %s", self.name, base_path)
        with self._changed:
            self._wanted = wanted
            for number in wanted:
                known = self._versions.get(number)
                # An unloaded version is loaded again; one that failed for good is not.
                if known is None or (known.state is State.END and not known.failures):
                    self._versions[number] = Version(number, found[number])
            for version in list(self._versions.values()):
                if version.number in wanted:
                    continue
                if version.state in (State.START, State.LOADING):
                    del self._versions[version.number]  # not loaded yet
                version.failures = 0  # it may be tried again later

    def _pending(self) -> list[Version]:
        return [v for v in self._versions.values() if v.state in (State.START, State.LOADING)]

    def _load_what_is_due(self) -> None:
        while True:
            with self._changed:
                due = [v for v in self._pending() if v.retry_at <= time.monotonic()]
                if not due or self._stopping:
                    return
                version = max(due, key=lambda v: v.number)
                version.state = State.LOADING
            self._load_version(version)

    def _load_version(self, version: Version) -> None:
        began = time.monotonic()
        about = f"{self.name}: version {version.number}"
        try:
            servable = self._load(self.name, version.number, version.path)
        except Exception as e:
            gc.collect()  # of a partly loaded model
            with self._changed:
                version.error = from_exception(e)
                version.failures += 1
                again = version.failures <= self._pace.most_retries
                version.retry_at = time.monotonic() + self._pace.retry_seconds
                if not again:
                    version.state = State.END
            then = f", retrying in {self._pace.retry_seconds:g} s" if again else ""
            log.error("%s can't be loaded%s: %s", about, then, version.error.message)
        else:
            with self._changed:
                version.servable, version.error, version.failures = servable, None, 0
                version.state = State.AVAILABLE
            log.info("%s is available (loaded in %.1f s)", about, time.monotonic() - began)

    def _unload_what_is_not_wanted(self) -> None:
        loaded = [v for v in self._versions.values() if v.state is State.AVAILABLE]
        wanted = self._wanted or set()
        # The last version stays until its successor is available.
        if not wanted or any(version.number in wanted for version in loaded):
            for version in loaded:
                if version.number not in wanted:
                    self._unload(version)

    def _unload(self, version: Version) -> threading.Thread:
        """Unload a version in a thread: a request that hangs must not keep others from loading."""
        version.state = State.UNLOADING
        thread = threading.Thread(
            target=self._finish_unload, args=(version,), name=f"unload {self.name}", daemon=True
        )
        thread.start()
        return thread

    def _finish_unload(self, version: Version) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not version.in_flight)
            servable, version.servable = version.servable, None
        if servable is None:
            return
        servable.close()
        del servable
        gc.collect()
        return_freed()
        with self._changed:
            version.state = State.END
            ended = [v.number for v in self._versions.values() if v.state is State.END]
            for number in sorted(set(ended) - (self._wanted or set()))[:-_REPORTED_ENDED]:
                del self._versions[number]
        log.info("%s: version %d is unloaded", self.name, version.number)


def _chosen(policy: Any, versions: Collection[int]) -> Set[int]:
    """Return the versions that a `ServableVersionPolicy` serves: all, named ones, or the latest."""
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return set(versions)
    if kind == "specific":
        return set(versions) & set(policy.specific.versions)
    return set(sorted(versions)[-(policy.latest.num_versions or 1) :])
