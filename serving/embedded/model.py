"""One model: its versions on disk and in memory. Swaps them without losing a request."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from serving.embedded.memory import return_freed
from serving.embedded.servable import Servable
from serving.embedded.statuses import Status, from_exception, not_found
from serving.embedded.version_policy import choose
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


@dataclass(frozen=True)
class VersionStatus:
    """The state of a version, as it is reported."""

    number: int
    state: State
    error: Status | None


class Model:
    """A model whose folder is polled by a thread of its own.

    Args:
        config: A `ModelConfig`: name, base path and version policy.
        load: Loads and warms up a version: model name, version, path.
        pace: Intervals of polling and of retries.
        on_change: Called when a version becomes available or is unloaded.
    """

    def __init__(
        self,
        config: Any,
        load: Callable[[str, int, str], Servable],
        pace: Pace,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.name: str = config.name
        self._config = config
        self._load = load
        self._pace = pace
        self._on_change = on_change
        self._changed = threading.Condition()  # guards all that follows
        self._versions: dict[int, Version] = {}
        self._wanted: Set[int] = set()
        self._looked = False
        self._look_now = False
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
        """Follow another base path or version policy from now on."""
        with self._changed:
            self._config = config
            self._look_now = True
            self._changed.notify_all()

    @property
    def config(self) -> Any:
        """The `ModelConfig` that is followed."""
        return self._config

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
            try:
                self._available(number)
            except Status:
                return False
            return True

    def statuses(self) -> list[VersionStatus]:
        """Return the states of the versions, the newest first."""
        with self._changed:
            return [
                VersionStatus(version.number, version.state, version.error)
                for version in sorted(self._versions.values(), key=lambda v: -v.number)
            ]

    def wait_until_settled(self, timeout: float | None) -> Status | None:
        """Wait until a version is available or all loads have failed.

        Returns:
            Why none is available; None if one is.
        """

        def settled() -> bool:
            versions = self._versions.values()
            return self._stopping or (
                self._looked
                and (
                    any(version.state is State.AVAILABLE for version in versions)
                    or not any(
                        version.state in (State.START, State.LOADING) and not version.failures
                        for version in versions
                    )
                )
            )

        with self._changed:
            if not self._changed.wait_for(settled, timeout):
                return not_found(f"{self.name} is still being loaded")
            if any(version.state is State.AVAILABLE for version in self._versions.values()):
                return None
            errors = [version.error for version in self._versions.values() if version.error]
            return errors[-1] if errors else not_found(f"{self.name} has no version to serve")

    def _available(self, number: int | None) -> Version:
        if number is None:
            candidates = [v for v in self._versions.values() if v.state is State.AVAILABLE]
            if candidates:
                return max(candidates, key=lambda version: version.number)
            raise not_found(f"Servable not found for request: Latest({self.name})")
        version = self._versions.get(number)
        if version is None or version.state is not State.AVAILABLE:
            raise not_found(f"Servable not found for request: Specific({self.name}, {number})")
        return version

    # What follows runs in the model's own thread.

    def _watch(self) -> None:
        next_look = 0.0
        while True:
            with self._changed:
                stopping = self._stopping
                if self._look_now:
                    self._look_now, next_look = False, 0.0
            if stopping:
                break
            if time.monotonic() >= next_look:
                self._look()
                pause = self._pace.poll_seconds
                next_look = time.monotonic() + pause if pause else float("inf")
            self._load_what_is_due()
            self._unload_what_is_not_wanted()
            with self._changed:
                self._looked = True
                self._changed.notify_all()
                due = min([next_look, *(v.retry_at for v in self._pending())])
                pause = max(0.0, due - time.monotonic())
                if not (self._stopping or self._look_now):
                    # A thread can't wait longer than some centuries.
                    self._changed.wait_for(
                        lambda: self._stopping or self._look_now, min(pause, 3600.0)
                    )
        with self._changed:
            leaving = [v for v in self._versions.values() if v.state is State.AVAILABLE]
        for version in leaving:
            self._begin_unload(version)
        for version in leaving:
            self._finish_unload(version)

    def _look(self) -> None:
        base_path = self._config.base_path
        try:
            found = complete_versions(base_path)
        except Exception as e:  # loaded versions are still served
            log.warning("%s: can't list %s: %s", self.name, base_path, from_exception(e).message)
            return
        wanted = choose(self._config.model_version_policy, found)
        with self._changed:
            if not wanted and (self._wanted or not self._looked):
                log.warning("%s: no version to serve in %s", self.name, base_path)
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
                self._changed.notify_all()
            log.error(
                "%s: version %d can't be loaded%s: %s",
                self.name,
                version.number,
                f", retrying in {self._pace.retry_seconds:g} s" if again else "",
                version.error.message,
            )
        else:
            with self._changed:
                version.servable, version.error, version.failures = servable, None, 0
                version.state = State.AVAILABLE
                self._changed.notify_all()
            log.info(
                "%s: version %d is available (loaded in %.1f s)",
                self.name,
                version.number,
                time.monotonic() - began,
            )
        self._on_change()

    def _unload_what_is_not_wanted(self) -> None:
        with self._changed:
            loaded = [v for v in self._versions.values() if v.state is State.AVAILABLE]
            # The last version stays until its successor is available.
            if self._wanted and not any(v.number in self._wanted for v in loaded):
                return
            leaving = [v for v in loaded if v.number not in self._wanted]
        for version in leaving:
            self._begin_unload(version)
            # A request that hangs must not keep new versions from being loaded.
            threading.Thread(
                target=self._finish_unload,
                args=(version,),
                name=f"unload {self.name}",
                daemon=True,
            ).start()

    def _begin_unload(self, version: Version) -> None:
        with self._changed:
            version.state = State.UNLOADING
        self._on_change()

    def _finish_unload(self, version: Version) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not version.in_flight)
            servable, version.servable = version.servable, None
        assert servable is not None
        servable.close()
        del servable
        gc.collect()
        return_freed()
        with self._changed:
            version.state = State.END
            self._forget_ended()
            self._changed.notify_all()
        log.info("%s: version %d is unloaded", self.name, version.number)
        self._on_change()

    def _forget_ended(self) -> None:
        ended = [
            version.number
            for version in self._versions.values()
            if version.state is State.END and version.number not in self._wanted
        ]
        for number in sorted(ended)[:-_REPORTED_ENDED]:
            del self._versions[number]
