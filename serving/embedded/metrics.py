"""Metrics for Prometheus, named as TensorFlow Serving's."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import Metric

_PREFIX = ":tensorflow:serving:"
_MICROSECONDS = [10 * 1.8**i for i in range(33)]
_SIZES = [2.0**i for i in range(15)]


class Metrics:
    """The metrics of one server."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str]] = Counter()
        registry.register(self)
        self._latency = Histogram(
            f"{_PREFIX}request_latency",
            "Time of a request in microseconds.",
            ["model_name", "API", "entrypoint"],
            registry=registry,
            buckets=_MICROSECONDS,
        )
        self._batch_size = Histogram(
            f"{_PREFIX}batching_session:processed_batch_size",
            "Rows of a batch with its padding.",
            registry=registry,
            buckets=_SIZES,
        )
        self._queuing = Histogram(
            f"{_PREFIX}batching_session:queuing_latency",
            "Longest wait in a batch's queue in microseconds.",
            registry=registry,
            buckets=_MICROSECONDS,
        )

    def request(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """Count a request that was answered, and its time if that was OK.

        Args:
            model: Its model's name, which TensorFlow Serving leaves empty for REST.
            api: Such as `Predict`; empty for what is asked of a model by GET.
            entrypoint: `GRPC` or `REST`.
            status: Name of its code, such as `OK`.
            seconds: How long it took.
        """
        with self._lock:
            self._requests[model, status] += 1
        if status == "OK":
            self._latency.labels(model, api, entrypoint).observe(seconds * 1e6)

    def batch(self, size: int, waited: float) -> None:
        """Count a batch that is run.

        Args:
            size: Its rows with its padding.
            waited: Seconds that its first request waited.
        """
        self._batch_size.observe(size)
        self._queuing.observe(waited * 1e6)

    def collect(self) -> Iterator[Metric]:
        """Yield the request counts; the library's own counter would append `_total` to the name."""
        metric = Metric(f"{_PREFIX}request_count", "The total number of requests.", "unknown")
        with self._lock:
            counts = dict(self._requests)
        for (model, status), count in counts.items():
            metric.add_sample(metric.name, {"model_name": model, "status": status}, count)
        yield metric

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
