"""Checks that a server gives a candidate's answers, before it is pushed.

TFX's InfraValidator (https://www.tensorflow.org/tfx/guide/infra_validator) needs Docker; this check
also compares the answers with those of the model in this process.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from base.errors import UserError
from base.graph_optimization import graphs_not_optimized
from serving.connection import Connection, ServingError
from serving.embedded.statuses import Status
from serving.embedded.warmup import warm_up
from serving.engine import Engine, EngineError
from serving.temporary_server import temporary_server
from storage.enrolled_images import served_enrolled_images

_NAME = "candidate"
_LABELS = "support/labels/.ATTRIBUTES/VARIABLE_VALUE"
_TOLERANCE = 1e-3
"""Of numbers: a server may turn weights into constants and run other kernels."""

# Nearly equal scores change places with the last digit. So classes are compared by name; `nearest`
# has no scores by which a tie could be seen.
_RANKED = ("classes", "scores")
_NOT_COMPARED = ("nearest",)


class InfraCheckError(UserError):
    """A model that cannot be served; the message says why."""

    exit_code = 1


class _Question(NamedTuple):
    signature: str
    inputs: Mapping[str, Any]


def infra_check(version_dir: Path, images: Sequence[bytes], engine: Engine) -> int:
    """Serve a candidate, and compare its answers over gRPC with those in this process.

    The requests are the model's own warm-up requests and all `images` in each signature that takes
    images.

    Args:
        version_dir: The SavedModel, the only version in its parent folder.
        images: Canonical encoded images, not trained on.
        engine: From `serving.engine.choose`.

    Returns:
        Number of answers compared.

    Raises:
        EngineError: The server does not start, or cannot load the model.
        InfraCheckError: There is no model, or an answer is missing or differs.
    """
    questions = [*_warmup(version_dir), *_about(images)]
    stopped = threading.Event()
    # While the server loads the model; its weights are in memory twice for that time.
    with ThreadPoolExecutor(1) as beside:
        expected = beside.submit(_in_process, version_dir, questions, stopped)
        expected.add_done_callback(lambda done: stopped.set() if done.exception() else None)
        try:
            server = temporary_server(engine, _NAME, version_dir.parent, stopped=stopped)
            return _compare(server, questions, expected)
        except EngineError:
            expected.result()  # if it fails too, its reason says more
            raise
        finally:
            stopped.set()


def _compare(
    server: AbstractContextManager[str],
    questions: Sequence[_Question],
    expected: Future[list[dict[str, np.ndarray]]],
) -> int:
    with server as address, Connection(address, _NAME, timeout=120) as client:
        for question, answer in zip(questions, expected.result(), strict=True):
            try:
                given = client.predict(question.signature, question.inputs)
            except ServingError as e:
                raise InfraCheckError(f"signature {question.signature!r}: {e}") from e
            if difference := _difference(given, answer):
                raise InfraCheckError(
                    f"signature {question.signature!r}: the server's answer differs from "
                    f"the model's in this process: {difference}"
                )
    return len(questions)


def check_enrolled_classes(version_dir: Path, served: str) -> None:
    """See that a candidate has all classes that were enrolled in the model that it will replace.

    Args:
        version_dir: The candidate's folder.
        served: Base path of the served model, of which the newest version counts.

    Raises:
        InfraCheckError: It lacks one, which was enrolled after the candidate was trained.
    """
    enrolled = {one.label for one in served_enrolled_images(served)}
    if not enrolled:
        return
    labels = tf.train.load_variable(str(version_dir / "variables" / "variables"), _LABELS)
    if lost := sorted(enrolled - {label.decode() for label in labels}):
        raise InfraCheckError(
            f"{served}: the served model has enrolled classes that this one lacks "
            f"({', '.join(lost)}), since they were enrolled after it was trained; start another "
            "run, which carries them over (with kubeflow.cache off), or set push.enrolled to drop"
        )


def _warmup(version_dir: Path) -> list[_Question]:
    """Return the warm-up requests in the model's folder, if any."""
    requests: list[Any] = []
    try:
        warm_up(str(version_dir), lambda log: requests.append(log.predict_log.request))
    except Status as e:
        raise InfraCheckError(f"{version_dir}: {e.message}") from e
    return [
        _Question(
            request.model_spec.signature_name,
            {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()},
        )
        for request in requests
    ]


def _about(images: Sequence[bytes]) -> list[_Question]:
    if not images:
        return []
    batch = list(images)
    return [
        _Question("serving_default", {"left": batch, "right": batch[1:] + batch[:1]}),
        _Question("embed", {"image": batch}),
        _Question("classify", {"image": batch}),
    ]


def _in_process(
    version_dir: Path, questions: Sequence[_Question], stopped: threading.Event
) -> list[dict[str, np.ndarray]]:
    """Return the model's own answers; not all of them if they are no longer wanted."""
    try:
        model = tf.saved_model.load(str(version_dir))
        with graphs_not_optimized():
            wanted = itertools.takewhile(lambda _: not stopped.is_set(), questions)
            return [_answer(model, question) for question in wanted]
    except (OSError, tf.errors.OpError) as e:
        raise InfraCheckError(f"{version_dir}: cannot be run in this process: {e}") from e


def _answer(model: Any, question: _Question) -> dict[str, np.ndarray]:
    if question.signature not in model.signatures:
        raise InfraCheckError(f"the model has no signature {question.signature!r}")
    inputs = {name: tf.constant(value) for name, value in question.inputs.items()}
    outputs = model.signatures[question.signature](**inputs)
    return {name: output.numpy() for name, output in outputs.items()}


def _difference(given: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> str | None:
    """Return the first difference in words; None if there is none."""
    if set(given) != set(expected):
        return f"outputs {sorted(given)} instead of {sorted(expected)}"
    given, expected = _by_class(given), _by_class(expected)
    for name, right in expected.items():
        answer = given[name]
        if answer.shape != right.shape or answer.dtype != right.dtype:
            return (
                f"{name} is {answer.dtype} {list(answer.shape)} instead of "
                f"{right.dtype} {list(right.shape)}"
            )
        if name in _NOT_COMPARED:
            continue
        if right.dtype.kind == "f":
            close = np.isclose(answer, right, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
        else:
            close = answer == right
        if not close.all():
            first = tuple(np.argwhere(~close)[0])
            return f"{name}{list(map(int, first))} is {answer[first]} instead of {right[first]}"
    return None


def _by_class(answer: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the answer with its classes in alphabetical order."""
    if not set(_RANKED) <= set(answer):
        return dict(answer)
    order = np.argsort(answer["classes"], axis=1)
    return {
        **answer,
        **{name: np.take_along_axis(answer[name], order, axis=1) for name in _RANKED},
    }
