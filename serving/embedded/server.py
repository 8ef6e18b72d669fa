"""Assembles the server and runs it until it is stopped."""

from __future__ import annotations

import logging
import os
import signal
import threading
from types import FrameType
from typing import Any

from serving.embedded.batching import Batcher
from serving.embedded.catalogue import Catalogue
from serving.embedded.config_files import Settings, read_model_config
from serving.embedded.inference import Inference, replay
from serving.embedded.listeners import Listeners
from serving.embedded.metrics import Metrics
from serving.embedded.model import Pace
from serving.embedded.options import Options, UsageError
from serving.embedded.rest import RestApi
from serving.embedded.servable import Servable
from serving.embedded.services import handlers
from serving.embedded.statuses import Status
from serving.embedded.warmup import warm_up

log = logging.getLogger(__name__)


def serve(options: Options, settings: Settings, listeners: Listeners) -> None:
    """Serve until SIGTERM or SIGINT, then finish the running requests.

    Args:
        options: From the command line.
        settings: From the files that it names.
        listeners: Hold the ports.

    Raises:
        UsageError: The models or their labels can't be served as configured.
    """
    server = _Server(options, settings, listeners)
    try:
        server.run()
    finally:
        server.stop()


class _Server:
    def __init__(self, options: Options, settings: Settings, listeners: Listeners) -> None:
        self._options = options
        self._settings = settings
        self._listeners = listeners
        self._stop = threading.Event()
        metrics = Metrics()
        self._batcher = (
            None if settings.batching is None else Batcher(settings.batching, metrics.batch)
        )
        self._catalogue = Catalogue(
            self._load,
            Pace(
                poll_seconds=options.file_system_poll_wait_seconds,
                most_retries=options.max_num_load_retries,
                retry_seconds=options.load_retry_interval_micros / 1e6,
            ),
        )
        inference = Inference(self._catalogue, metrics)
        self._api = RestApi(inference, metrics, settings.metrics_path)
        checked = options.enable_grpc_healthcheck_service
        listeners.grpc.add_generic_rpc_handlers(
            handlers(inference, self._is_serving if checked else None)
        )

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        source = self._options.model_config_file or "--model_base_path"
        models = self._settings.models
        try:
            self._catalogue.configure(models)
        except Status as e:
            raise UsageError(f"{source}: {e.message}") from e
        # From now on clients can ask for the states, though nothing is ready.
        self._listeners.grpc.start()
        if self._listeners.http is not None:
            self._listeners.http.start(self._api.answer)
        while not self._catalogue.ready:
            if self._stop.wait(0.02):
                return
        print(self._listeners.line, flush=True)
        if self._options.model_config_file and self._options.model_config_file_poll_wait_seconds:
            self._follow_config(models)
        self._stop.wait()

    def stop(self) -> None:
        grace = self._options.shutdown_grace_seconds
        # Refuses new calls, and finishes the running ones.
        finished = self._listeners.grpc.stop(grace)
        if self._listeners.http is not None:
            self._listeners.http.stop()
        finished.wait(grace + 1)
        if self._stop.is_set() and not self._catalogue.ready:
            os._exit(0)  # a load cannot be interrupted, and may take minutes
        self._catalogue.stop(timeout=5)
        if self._batcher is not None:
            self._batcher.stop()

    def _load(self, name: str, version: int, path: str) -> Servable:
        servable = Servable(path, self._options.tensorflow_session_parallelism)
        try:
            if self._batcher is not None:
                for signature in servable.signatures.values():
                    signature.batch_with(self._batcher)
            if self._options.enable_model_warmup:
                count = warm_up(path, lambda record: replay(servable, record))
                if count:
                    log.info("%s: version %d is warm (%d requests)", name, version, count)
        except BaseException:
            servable.close()
            raise
        return servable

    def _is_serving(self) -> bool:
        return self._catalogue.ready and not self._stop.is_set()

    def _follow_config(self, served: Any) -> None:
        """Poll the configuration file until the server is stopped."""
        path = self._options.model_config_file
        told = ""
        while not self._stop.wait(self._options.model_config_file_poll_wait_seconds):
            try:
                config = read_model_config(path)
                if config != served:
                    served = config  # a refused one is reported once
                    self._catalogue.configure(config)
                    log.info("%s: read again", path)
                told = ""
            except (UsageError, Status) as e:
                if str(e) != told:
                    told = str(e)
                    log.error("The models and labels stay as they are: %s", e)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop.is_set():
            os._exit(1)  # the second signal: stop at once
        self._stop.set()
