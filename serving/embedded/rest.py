"""The REST API and the metrics: answers by path and body."""

from __future__ import annotations

import inspect
import logging
import re
from typing import Any

from google.protobuf import json_format
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    regression_pb2,
)

from serving.embedded import json_tensors
from serving.embedded.catalogue import Catalogue
from serving.embedded.deadline import Deadline
from serving.embedded.http_server import JSON, error_body, json_body
from serving.embedded.inference import Inference
from serving.embedded.metrics import Metrics
from serving.embedded.model import State
from serving.embedded.services import model_status
from serving.embedded.statuses import Status, code_name, http_code, invalid_argument

log = logging.getLogger(__name__)

_WHICH = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_ASK = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_WHICH}:(?P<method>classify|regress|predict)", re.IGNORECASE
)
_TELL = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_WHICH}(?P<metadata>/metadata)?", re.IGNORECASE
)
_LARGEST_VERSION = 2**63 - 1


class RestApi:
    """Answers requests by path and body; independent of sockets.

    Args:
        inference: Answers what is asked of models.
        catalogue: Tells the versions' states.
        metrics: Are told under `metrics_path`.
        metrics_path: None for none.
    """

    def __init__(
        self,
        inference: Inference,
        catalogue: Catalogue,
        metrics: Metrics,
        metrics_path: str | None,
    ) -> None:
        self._inference = inference
        self._catalogue = catalogue
        self._metrics = metrics
        self._metrics_path = metrics_path

    def answer(
        self, method: str, path: str, body: bytes, deadline: Deadline
    ) -> tuple[int, str, bytes]:
        """Answer a request.

        Args:
            method: `GET` or `POST`.
            path: Without the host; what follows a `?` is ignored.
            body: JSON, for `POST`.
            deadline: When the answer is of no more use.

        Returns:
            HTTP status, content type and body.
        """
        path = path.partition("?")[0]
        if method == "GET" and path == self._metrics_path:
            return 200, "text/plain; version=0.0.4; charset=utf-8", self._metrics.text()
        try:
            return 200, JSON, json_body(self._answer(method, path, body, deadline))
        except Status as e:
            return http_code(e.code), JSON, error_body(e.message)
        except MemoryError:
            return 429, JSON, error_body("Out of memory.")
        except Exception:
            log.exception("%s %s failed", method, path)
            return 500, JSON, error_body("Internal error; the server's log tells more.")

    def _answer(self, method: str, path: str, body: bytes, deadline: Deadline) -> Any:
        asked = _ASK.fullmatch(path) if method == "POST" else None
        if asked:
            spec, document = _spec(asked), json_tensors.parse(body)
            spec.signature_name = json_tensors.signature_name(document)
            ask = {"predict": self._predict, "classify": self._classify, "regress": self._regress}
            return ask[asked["method"].lower()](spec, document, deadline)
        told = _TELL.fullmatch(path) if method == "GET" else None
        if told:
            if not told["name"]:
                raise invalid_argument("Missing model name in request.")
            return self._metadata(_spec(told)) if told["metadata"] else self._status(_spec(told))
        raise invalid_argument(f"Malformed request: {method} {path}")

    def _predict(self, spec: model_pb2.ModelSpec, document: dict, deadline: Deadline) -> Any:
        by_rows = json_tensors.is_row_format(document)
        outputs = self._inference.predict_arrays(
            spec, lambda signature: json_tensors.read_inputs(document, signature), deadline
        )
        return json_tensors.predictions(outputs) if by_rows else json_tensors.columns(outputs)

    def _classify(self, spec: model_pb2.ModelSpec, document: dict, deadline: Deadline) -> Any:
        request = classification_pb2.ClassificationRequest(
            model_spec=spec, input=json_tensors.read_examples(document)
        )
        response = self._inference.classify(request, deadline, "REST")
        return json_tensors.classifications(response.result)

    def _regress(self, spec: model_pb2.ModelSpec, document: dict, deadline: Deadline) -> Any:
        request = regression_pb2.RegressionRequest(
            model_spec=spec, input=json_tensors.read_examples(document)
        )
        response = self._inference.regress(request, deadline, "REST")
        return json_tensors.regressions(response.result)

    def _status(self, spec: model_pb2.ModelSpec) -> Any:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
        return {
            "model_version_status": [
                {
                    "version": str(each.version),
                    "state": State(each.state).name,
                    "status": {
                        "error_code": code_name(each.status.error_code),
                        "error_message": each.status.error_message,
                    },
                }
                for each in model_status(self._catalogue, request).model_version_status
            ]
        }

    def _metadata(self, spec: model_pb2.ModelSpec) -> Any:
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=spec, metadata_field=["signature_def"]
        )
        response = self._inference.metadata(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return {
            "model_spec": {
                "name": response.model_spec.name,
                "signature_name": "",
                "version": str(response.model_spec.version.value),
            },
            "metadata": {"signature_def": _as_dict(signatures)},
        }


def _spec(match: re.Match[str]) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=match["name"])
    if match["version"]:
        if int(match["version"]) > _LARGEST_VERSION:
            raise invalid_argument(f"Failed to convert version: {match['version']} to numeric.")
        spec.version.value = int(match["version"])
    elif match["label"]:
        spec.version_label = match["label"]
    return spec


def _as_dict(message: Any) -> dict[str, Any]:
    # The option's name changed between the protobuf of the two stacks.
    known = inspect.signature(json_format.MessageToDict).parameters
    with_defaults = next(
        name
        for name in ("always_print_fields_with_no_presence", "including_default_value_fields")
        if name in known
    )
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, **{with_defaults: True}
    )
