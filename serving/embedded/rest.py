"""The REST API and the metrics: answers by path and body.

Source:
https://github.com/tensorflow/serving/blob/master/tensorflow_serving/model_servers/http_rest_api_util.cc
"""

from __future__ import annotations

import inspect
import logging
import re
from typing import Any
from urllib.parse import unquote

import grpc
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from serving.embedded import json_answers, json_requests
from serving.embedded.deadline import Deadline
from serving.embedded.http_server import Answer, error
from serving.embedded.inference import Inference
from serving.embedded.metrics import Metrics
from serving.embedded.statuses import Status, invalid_argument

log = logging.getLogger(__name__)

_WHICH = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_ASK = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_WHICH}:(?P<method>classify|regress|predict)",
    re.IGNORECASE | re.ASCII,
)
_TELL = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_WHICH}(?:/(?P<metadata>metadata))?",
    re.IGNORECASE | re.ASCII,
)
_MOST_DIGITS = 19
_LARGEST_VERSION = 2**63 - 1


class RestApi:
    """Answers requests by path and body; independent of sockets.

    Args:
        inference: Answers what is asked of models.
        metrics: Are told under `metrics_path`.
        metrics_path: None for none.
    """

    def __init__(self, inference: Inference, metrics: Metrics, metrics_path: str | None) -> None:
        self._inference = inference
        self._metrics = metrics
        self._metrics_path = metrics_path

    def answer(self, method: str, target: str, body: bytes, deadline: Deadline) -> Answer:
        """Answer a request.

        Args:
            method: Such as `GET` or `POST`.
            target: Path and query as they were sent; a query is taken for a part of the last name.
            body: JSON, for `POST`.
            deadline: When the answer is no longer needed.
        """
        if method == "GET" and target == self._metrics_path:
            return 200, "text/plain; version=0.0.4; charset=utf-8", self._metrics.text()
        try:
            return 200, "application/json", self._answer(method, target, body, deadline)
        except Status as e:
            return error(e.http, e.message)
        except MemoryError:
            return error(429, "Out of memory.")
        except Exception:
            log.exception("%s %s failed", method, target)
            return error(500, "Internal error; the server's log tells more.")

    def _answer(self, method: str, target: str, body: bytes, deadline: Deadline) -> bytes:
        if not target.lower().startswith("/v1/"):
            raise Status(grpc.StatusCode.NOT_FOUND, f"Not found: {target}")
        asked = _ASK.fullmatch(target) if method == "POST" else None
        told = _TELL.fullmatch(target) if method == "GET" else None
        # TensorFlow Serving counts REST without a model's name, and GET without an API.
        with self._inference.counted("", asked["method"] if asked else "", "REST"):
            if asked and asked["method"] == "predict":
                return self._predict(_spec(asked), body, deadline)
            if asked and asked["method"] in ("classify", "regress"):
                raise Status(
                    grpc.StatusCode.UNIMPLEMENTED,
                    "The embedded server answers predict; TensorFlow Serving also has the others.",
                )
            if told and not told["name"]:
                raise invalid_argument("Missing model name in request.")
            if told:
                return (
                    self._metadata(_spec(told)) if told["metadata"] else self._status(_spec(told))
                )
            raise invalid_argument(f"Malformed request: {method} {target}")

    def _predict(self, spec: model_pb2.ModelSpec, body: bytes, deadline: Deadline) -> bytes:
        document = json_requests.parse(body)
        spec.signature_name = json_requests.signature_name(document)
        outputs = self._inference.predict_arrays(
            spec, lambda signature: json_requests.read_inputs(document, signature), deadline
        )
        by_rows = "instances" in document
        return json_answers.predictions(outputs) if by_rows else json_answers.columns(outputs)

    def _status(self, spec: model_pb2.ModelSpec) -> bytes:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
        return json_answers.message(_as_dict(self._inference.status(request)))

    def _metadata(self, spec: model_pb2.ModelSpec) -> bytes:
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=spec, metadata_field=["signature_def"]
        )
        response = self._inference.metadata(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return json_answers.message(
            {
                "model_spec": _as_dict(response.model_spec),
                "metadata": {"signature_def": _as_dict(signatures)},
            }
        )


def _spec(match: re.Match[str]) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=_decoded(match["name"]))
    version = match["version"]
    if version:
        digits = version.lstrip("0") or "0"
        if len(digits) > _MOST_DIGITS or int(digits) > _LARGEST_VERSION:
            raise invalid_argument(f"Failed to convert version: {version} to numeric.")
        spec.version.value = int(digits)
    elif match["label"]:
        spec.version_label = _decoded(match["label"])
    return spec


def _decoded(name: str) -> str:
    return unquote(name, errors="replace")


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
