"""Assembles the server and runs it until it is stopped."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from types import FrameType

from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc
from tensorflow_serving.config import model_server_config_pb2

from serving.embedded.batching import Batcher
from serving.embedded.catalogue import Catalogue
from serving.embedded.config_files import read_model_config
from serving.embedded.inference import Inference, replay
from serving.embedded.listeners import Listeners
from serving.embedded.metrics import Metrics
from serving.embedded.model import Pace
from serving.embedded.options import Options, UsageError
from serving.embedded.rest import RestApi
from serving.embedded.servable import LoadSettings, Servable
from serving.embedded.services import ModelService, PredictionService, Running
from serving.embedded.settings import Settings
from serving.embedded.statuses import Status
from serving.embedded.warmup import warm_up

log = logging.getLogger(__name__)

_SERVICES = ("tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")
# TensorFlow Serving names its services without their package in health checks.
_HEALTH_NAMES = ("", *_SERVICES, "PredictionService", "ModelService")
# For calls that have arrived but aren't counted yet, and answers that are being sent.
_SETTLE_SECONDS = 0.1


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
        self._stopping = False
        self._running = Running()
        metrics = Metrics()
        self._batcher = (
            None if settings.batching is None else Batcher(settings.batching, metrics.batch)
        )
        both = options.tensorflow_session_parallelism
        self._load_settings = LoadSettings(
            tags=tuple(tag for tag in options.saved_model_tags.split(",") if tag),
            variables_as_constants=options.variables_as_constants,
            intra_op_threads=options.tensorflow_intra_op_parallelism or both,
            inter_op_threads=options.tensorflow_inter_op_parallelism or both,
            gpu_memory_fraction=options.per_process_gpu_memory_fraction,
        )
        self._health = health.HealthServicer()
        self._catalogue = Catalogue(
            self._load,
            Pace(
                poll_seconds=options.file_system_poll_wait_seconds,
                most_retries=options.max_num_load_retries,
                retry_seconds=options.load_retry_interval_micros / 1e6,
            ),
            options.allow_version_labels_for_unavailable_models,
            self._report_health,
        )
        inference = Inference(self._catalogue, metrics)
        self._api = RestApi(inference, self._catalogue, metrics, settings.metrics_path)
        server = listeners.grpc
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(inference, self._running), server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(self._catalogue, self._running), server
        )
        if options.enable_grpc_healthcheck_service:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)

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
        try:
            self._catalogue.set_labels(models)
        except Status as e:
            raise UsageError(
                f"{source}: {e.message}: label it once it is loaded, or add "
                "--allow_version_labels_for_unavailable_models"
            ) from e
        print(self._listeners.line, flush=True)
        self._follow_config(models)

    def stop(self) -> None:
        grace = self._options.shutdown_grace_seconds
        self._stopping = True
        self._report_health()
        self._listeners.grpc.stop(grace)  # refuses new calls, and finishes the running ones
        if self._listeners.http is not None:
            self._listeners.http.stop(grace)
        time.sleep(_SETTLE_SECONDS)
        self._running.wait_until_none(grace)
        time.sleep(_SETTLE_SECONDS)
        self._listeners.grpc.stop(0).wait()
        self._catalogue.stop(timeout=5)
        if self._batcher is not None:
            self._batcher.stop()

    def _load(self, name: str, version: int, path: str) -> Servable:
        servable = Servable(path, self._load_settings)
        try:
            if self._batcher is not None:
                servable.batch_with(self._batcher)
            if self._options.enable_model_warmup:
                count = warm_up(path, lambda record: replay(servable, record))
                if count:
                    log.info("%s: version %d is warm (%d requests)", name, version, count)
        except BaseException:
            servable.close()
            raise
        return servable

    def _report_health(self) -> None:
        serving = self._catalogue.ready and not self._stopping
        codes = health_pb2.HealthCheckResponse
        for name in _HEALTH_NAMES:
            self._health.set(name, codes.SERVING if serving else codes.NOT_SERVING)

    def _follow_config(self, served: model_server_config_pb2.ModelServerConfig) -> None:
        """Poll the configuration file until the server is stopped."""
        path = self._options.model_config_file
        pause = self._options.model_config_file_poll_wait_seconds if path else 0
        while not self._stop.wait(pause or None):
            try:
                config = read_model_config(path)
                if config != served:
                    served = config  # a refused one is reported once
                    self._catalogue.reload(config, timeout=None)
                    log.info("%s: read again", path)
            except (UsageError, Status) as e:
                log.error("The models stay as they are: %s", e)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop.is_set():
            os._exit(1)  # the second signal: stop at once
        self._stop.set()
