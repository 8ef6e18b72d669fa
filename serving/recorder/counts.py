"""What was passed on, recorded and not recorded, counted for Prometheus and for the log."""

from __future__ import annotations

import threading
from collections import Counter

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client import Counter as Total

_PREFIX = "siamese_recorder_"


class Counts:
    """The counts of one recorder; threads may share them."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._calls = self._total("calls", "Calls that were passed on.", "protocol", "code")
        self._recorded = self._total("recorded", "Answers about images that were recorded.")
        self._dropped = self._total("dropped", "Calls that were not recorded.", "reason")
        self._kept = self._total("images_kept", "Images that were kept.", "reason")
        self._not_kept = self._total(
            "images_not_kept", "Images that a rule would keep and that were not.", "reason"
        )
        self._removed = self._total("images_removed", "Images removed to keep to the size limit.")
        self._compared = self._total(
            "compared", "Images that two versions classified.", "same_label"
        )
        self._failed = self._total(
            "follow_ups_failed", "Images that the server did not answer about again.", "kind"
        )
        self._labelled = self._total(
            "labelled_calls", "Calls without a version, by the label that answered.", "label"
        )
        self._restarts = self._total("writer_restarts", "Starts of a writer that had died.")
        self._waiting = Gauge(
            f"{_PREFIX}backlog_calls", "Calls that wait to be recorded.", registry=self._registry
        )
        self._lock = threading.Lock()
        self._unsaid: Counter[str] = Counter()

    def _total(self, name: str, text: str, *labels: str) -> Total:
        return Total(f"{_PREFIX}{name}", text, labels, registry=self._registry)

    def call(self, protocol: str, code: str) -> None:
        """Count a call that was passed on, with its status code."""
        self._calls.labels(protocol, code).inc()

    def labelled(self, label: str) -> None:
        """Count a call that was sent to a label; empty: no version had it."""
        self._labelled.labels(label).inc()

    def recorded(self, count: int) -> None:
        """Count answers that are in the store."""
        self._recorded.inc(count)

    def dropped(self, reason: str, count: int = 1) -> None:
        """Count calls that are lost to the store."""
        self._dropped.labels(reason).inc(count)
        with self._lock:
            self._unsaid[reason] += count

    def kept(self, reason: str) -> None:
        """Count an image that is in the store."""
        self._kept.labels(reason).inc()

    def not_kept(self, reason: str) -> None:
        """Count an image that a rule would have kept."""
        self._not_kept.labels(reason).inc()

    def removed(self, count: int) -> None:
        """Count images that were removed to keep to the size limit."""
        self._removed.inc(count)

    def compared(self, same: bool) -> None:
        """Count an image that two versions classified."""
        self._compared.labels(str(same).lower()).inc()

    def follow_up_failed(self, kind: str, count: int) -> None:
        """Count images that the server did not answer about again."""
        self._failed.labels(kind).inc(count)

    def restarted(self) -> None:
        """Count a start of a writer that had died."""
        self._restarts.inc()

    def take_unsaid(self) -> dict[str, int]:
        """Return the calls dropped since the last time, by reason."""
        with self._lock:
            unsaid, self._unsaid = self._unsaid, Counter()
        return dict(unsaid)

    def text(self, waiting: int) -> bytes:
        """Return all metrics in Prometheus' text format."""
        self._waiting.set(waiting)
        return generate_latest(self._registry)
