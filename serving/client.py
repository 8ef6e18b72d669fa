"""Asks a server of TensorFlow Serving's protocol by gRPC; needs no model file and no TFX.

Sources: https://github.com/tensorflow/serving/tree/master/tensorflow_serving/apis for the messages,
https://grpc.io/docs/guides/retry for the retries.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from components.canonical_image import UnusableImage, canonical_image
from serving.answers import Classification, Comparison

Image: TypeAlias = "bytes | str | os.PathLike[str]"
"""An encoded image, JPEG, PNG, WebP or another kind of `components.canonical_image`; or its file"""

_IN_A_REQUEST = 32
"""Images, or pairs."""

_State = get_model_status_pb2.ModelVersionStatus.State

_RETRIES = {
    "methodConfig": [
        {
            "name": [
                {"service": "tensorflow.serving.PredictionService"},
                {"service": "tensorflow.serving.ModelService"},
            ],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],  # all calls only read
            },
        }
    ]
}
_CHANNEL_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.service_config", json.dumps(_RETRIES)),
    # gRPC keeps a message to send it again only up to this size: 256 KB, were it not set.
    ("grpc.per_rpc_retry_buffer_size", 256 * 2**20),
    # By default a client takes answers up to 4 MB; it trusts its server.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]


class ServingError(Exception):
    """The server gave no answer; the message says why and how to mend it.

    Attributes:
        code: gRPC's status.
    """

    def __init__(self, message: str, code: grpc.StatusCode) -> None:
        super().__init__(message)
        self.code = code


class ImageError(ValueError):
    """An image that cannot be used; the message names it."""


class Tls(NamedTuple):
    """PEM files for an encrypted connection.

    Attributes:
        ca: Certificates of the authorities that sign the server's; gRPC's own, if left out.
        certificate: The client's, where the server asks for one (mTLS).
        key: The client's private key, with `certificate`.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class FileAnswer(NamedTuple):
    """What came of a file.

    Attributes:
        file: As it was given.
        answer: The model's; None where the file cannot be used.
        problem: Why it cannot; empty where there is an answer.
    """

    file: Path
    answer: Classification | None
    problem: str = ""


class SiameseClient:
    """Asks one model of a server; threads may share it.

    Calls that find no server are tried again by gRPC itself, within the timeout.

    Example:
        with SiameseClient("localhost:8500", "parts") as client:
            [answer] = client.classify(["photo.jpg"])

    Args:
        server: HOST:PORT of gRPC.
        model: The name it is served by.
        version: Ask this version; the server's choice, if left out.
        version_label: Or the version of this label.
        timeout: Seconds that an answer may take.
        tls: Encrypt the connection; without it, it is in the clear.

    Raises:
        ValueError: A PEM file cannot be read, or both a version and a label are given.
    """

    def __init__(
        self,
        server: str,
        model: str,
        *,
        version: int | None = None,
        version_label: str | None = None,
        timeout: float = 30.0,
        tls: Tls | None = None,
    ) -> None:
        if version is not None and version_label is not None:
            raise ValueError("name a version or a label, not both")
        self._server, self._timeout = server, timeout
        self._spec = predict_pb2.PredictRequest().model_spec
        self._spec.name = model
        if version is not None:
            self._spec.version.value = version
        if version_label is not None:
            self._spec.version_label = version_label
        self._channel = (
            grpc.secure_channel(server, _credentials(tls), _CHANNEL_OPTIONS)
            if tls
            else grpc.insecure_channel(server, _CHANNEL_OPTIONS)
        )
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def __enter__(self) -> SiameseClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; calls that wait for their answer fail."""
        self._channel.close()

    def compare(self, left: Sequence[Image], right: Sequence[Image]) -> list[Comparison]:
        """Whether the images of n pairs are of the same class.

        Args:
            left: n images.
            right: The n images to compare them with.

        Raises:
            ImageError: An image cannot be read.
            ServingError: There was no answer.
            ValueError: The two are not equally many.
        """
        if len(left) != len(right):
            raise ValueError(f"{len(left)} left images for {len(right)} right ones")
        canonical = {image: _canonical(image) for image in (*left, *right)}
        inputs = {"left": [canonical[i] for i in left], "right": [canonical[i] for i in right]}
        return [
            Comparison(*row)
            for answer in self._in_parts("serving_default", inputs)
            for row in zip(
                *(_output(answer, name).tolist() for name in Comparison._fields), strict=True
            )
        ]

    def classify(self, images: Sequence[Image]) -> list[Classification]:
        """Which class each of n images is of, or that it is of none.

        Raises:
            ImageError: An image cannot be read.
            ServingError: There was no answer.
        """
        inputs = {"image": [_canonical(image) for image in images]}
        return [
            classification
            for answer in self._in_parts("classify", inputs)
            for classification in _classifications(answer)
        ]

    def classify_files(
        self, files: Iterable[Path], batch_size: int = 16, in_flight: int = 4
    ) -> Iterator[FileAnswer]:
        """Classify any number of files, in their order.

        Files are read as answers come, so that no more than `batch_size * (in_flight + 1)` are held
        at a time. One that cannot be used is told of in its place and costs the others nothing.

        Args:
            files: Image files.
            batch_size: Images in a request.
            in_flight: Requests that wait for their answer at a time.

        Raises:
            ServingError: There was no answer.
        """
        waiting: deque[tuple[list[FileAnswer], Any]] = deque()
        rest = iter(files)
        while batch := list(itertools.islice(rest, batch_size)):
            waiting.append(self._ask_for_files(batch))
            if len(waiting) > in_flight:
                yield from self._file_answers(*waiting.popleft())
        while waiting:
            yield from self._file_answers(*waiting.popleft())

    def embed(self, images: Sequence[Image]) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings float32 [n, d] of n images, and which of them are valid, bool [n].

        Raises:
            ImageError: An image cannot be read.
            ServingError: There was no answer.
            ValueError: There are no images.
        """
        if not images:
            raise ValueError("name at least one image: without one the size d is not known")
        inputs = {"image": [_canonical(image) for image in images]}
        answers = list(self._in_parts("embed", inputs))
        return (
            np.concatenate([_output(answer, "embedding") for answer in answers]),
            np.concatenate([_output(answer, "valid") for answer in answers]),
        )

    def predict(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Ask any signature.

        Args:
            signature: Its name.
            inputs: What becomes tensors, by name; images are to be canonical.

        Returns:
            The outputs, by name.

        Raises:
            ServingError: There was no answer.
        """
        return self._outputs(self._future(signature, inputs))

    def wait_until_available(self, seconds: float) -> None:
        """Wait until a version of the model takes requests.

        Raises:
            ServingError: None does within this time, or all have failed to load.
        """
        end = time.monotonic() + seconds
        while True:
            try:
                if self._is_available():
                    return
            except grpc.RpcError as e:
                if e.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND):
                    raise self._error(e) from e
            if time.monotonic() > end:
                raise ServingError(
                    f"{self._server} serves no version of {self._spec.name!r} after {seconds:g} s",
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                )
            time.sleep(0.1)

    def _is_available(self) -> bool:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self._spec)
        versions = self._models.GetModelStatus(request, timeout=self._timeout).model_version_status
        if versions and all(one.state == _State.END and one.status.error_code for one in versions):
            raise ServingError(
                f"{self._server} cannot load {self._spec.name!r}: "
                f"{versions[0].status.error_message}",
                grpc.StatusCode.FAILED_PRECONDITION,
            )
        return any(one.state == _State.AVAILABLE for one in versions)

    def _future(self, signature: str, inputs: Mapping[str, Any]) -> Any:
        request = predict_pb2.PredictRequest(model_spec=self._spec)
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        return self._predictions.Predict.future(request, timeout=self._timeout)

    def _outputs(self, future: Any) -> dict[str, np.ndarray]:
        try:
            response = future.result()
        except grpc.RpcError as e:
            raise self._error(e) from e
        return {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}

    def _in_parts(
        self, signature: str, inputs: Mapping[str, Sequence[bytes]]
    ) -> Iterator[dict[str, np.ndarray]]:
        """The outputs for all inputs; a server would encode a request's images all at once."""
        (count,) = {len(values) for values in inputs.values()}
        for start in range(0, count, _IN_A_REQUEST):
            part = slice(start, start + _IN_A_REQUEST)
            yield self.predict(signature, {name: values[part] for name, values in inputs.items()})

    def _ask_for_files(self, files: Sequence[Path]) -> tuple[list[FileAnswer], Any]:
        """The files, with the problems of those that cannot be used, and the others' future."""
        answers, images = [], []
        for file in files:
            try:
                images.append(_canonical(file))
                answers.append(FileAnswer(file, None))
            except ImageError as e:
                answers.append(FileAnswer(file, None, str(e)))
        return answers, self._future("classify", {"image": images}) if images else None

    def _file_answers(self, files: Sequence[FileAnswer], future: Any) -> Iterator[FileAnswer]:
        classified = iter(_classifications(self._outputs(future)) if future else ())
        for each in files:
            if each.problem:
                yield each
                continue
            answer = next(classified)
            if answer.valid:
                yield FileAnswer(each.file, answer)
            else:
                yield FileAnswer(each.file, None, f"{each.file}: {REFUSED_BY_THE_MODEL}")

    def _error(self, error: grpc.RpcError) -> ServingError:
        code, details = error.code(), error.details()
        say = {
            grpc.StatusCode.UNAVAILABLE: f"{self._server} does not answer ({details}); is a server "
            "running there? Start one: siamese serve",
            grpc.StatusCode.DEADLINE_EXCEEDED: f"{self._server} gave no answer within "
            f"{self._timeout:g} s; allow more",
            grpc.StatusCode.NOT_FOUND: f"{self._server} has no such model or version: {details}",
            grpc.StatusCode.FAILED_PRECONDITION: f"the model {self._spec.name!r} at "
            f"{self._server} is not one of ours: {details}",
        }
        default = f"{self._server} answered {code.name}: {details}"
        return ServingError(say.get(code, default), code)


REFUSED_BY_THE_MODEL = (
    "the model cannot use it; it has more pixels than the data.max_pixels that the model was "
    "trained with"
)


def _canonical(image: Image) -> bytes:
    data = image if isinstance(image, bytes) else _read(image)
    try:
        return canonical_image(data).data
    except UnusableImage as e:
        name = f"an image of {len(data)} bytes" if isinstance(image, bytes) else os.fspath(image)
        raise ImageError(f"{name} {e}") from e


def _read(file: str | os.PathLike[str]) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as e:
        raise ImageError(f"{file}: cannot be read ({e.strerror}); name an image file") from e


def _classifications(answer: Mapping[str, np.ndarray]) -> list[Classification]:
    return [
        Classification(
            label=_text(label),
            known=bool(known),
            scores={_text(name): float(score) for name, score in zip(classes, scores, strict=True)}
            if valid
            else {},
            nearest=[_text(source) for source in nearest] if valid else [],
            valid=bool(valid),
        )
        for label, known, classes, scores, nearest, valid in zip(
            *(
                _output(answer, name)
                for name in ("label", "known", "classes", "scores", "nearest", "valid")
            ),
            strict=True,
        )
    ]


def _output(answer: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    try:
        return answer[name]
    except KeyError:
        raise ServingError(
            f"the model does not answer with {name!r}; train it anew",
            grpc.StatusCode.FAILED_PRECONDITION,
        ) from None


def _text(value: bytes) -> str:
    """A class or a file's name, as it was; bytes that are no text are escaped."""
    return value.decode("utf-8", "backslashreplace")


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    if (tls.certificate is None) != (tls.key is None):
        raise ValueError("a client's certificate needs its key, and a key its certificate")
    try:
        ca, key, certificate = (
            file.read_bytes() if file else None for file in (tls.ca, tls.key, tls.certificate)
        )
    except OSError as e:
        raise ValueError(f"{e.filename}: cannot be read ({e.strerror}); name a PEM file") from e
    return grpc.ssl_channel_credentials(ca, key, certificate)
