"""Sends images to a served model over gRPC; needs no model file and no TFX."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import grpc
import numpy as np

from base.errors import UserError
from images.canonical import UnusableImage, canonical_image
from serving.answers import Classification, Comparison
from serving.connection import Connection, ServingError

Image: TypeAlias = "bytes | str | os.PathLike[str]"
"""An encoded image (JPEG, PNG, WebP or another format of `images.canonical`), or its file."""

_IN_A_REQUEST = 32
"""Images or pairs in a request."""


class ImageError(UserError):
    """An image that cannot be used; the message names it."""


class FileAnswer(NamedTuple):
    """The answer about a file.

    Attributes:
        file: As it was given.
        answer: The model's answer; None if the file cannot be used.
        problem: Why it cannot be used; empty if there is an answer.
    """

    file: Path
    answer: Classification | None
    problem: str = ""


class SiameseClient(Connection):
    """Sends images to one model of a server; threads may share it.

    Arguments and errors are those of `serving.connection.Connection`.

    Example:
        with SiameseClient("localhost:8500", "parts") as client:
            [answer] = client.classify(["photo.jpg"])
    """

    def compare(
        self,
        left: Sequence[Image],
        right: Sequence[Image],
        same_threshold: float | None = None,
        timeout: float | None = None,
    ) -> list[Comparison]:
        """Return whether the images of n pairs are of the same class.

        Args:
            left: n images.
            right: The n images to compare them with.
            same_threshold: Least similarity to be the same; default: the model's own.
            timeout: Seconds that an answer may take; default: the connection's.

        Raises:
            ImageError: An image cannot be read.
            ServingError: There was no answer.
            ValueError: `left` and `right` differ in length.
        """
        if len(left) != len(right):
            raise ValueError(f"{len(left)} left images for {len(right)} right ones")
        canonical = {image: _canonical(image) for image in (*left, *right)}
        inputs = {"left": [canonical[i] for i in left], "right": [canonical[i] for i in right]}
        answers = [
            Comparison(*row)
            for answer in self._in_parts("serving_default", inputs, timeout)
            for row in zip(
                *(_output(answer, name).tolist() for name in ("similarity", "same", "valid")),
                _reasons(answer),
                strict=True,
            )
        ]
        if same_threshold is None:
            return answers
        return [each._replace(same=each.similarity >= same_threshold) for each in answers]

    def classify(
        self,
        images: Sequence[Image],
        known_threshold: float | None = None,
        timeout: float | None = None,
    ) -> list[Classification]:
        """Return the class of each of n images, and whether it is of any known class.

        Args:
            images: n images.
            known_threshold: Least score of a known class; default: the model's own.
            timeout: Seconds that an answer may take; default: the connection's.

        Raises:
            ImageError: An image cannot be read.
            ServingError: There was no answer.
        """
        inputs = {"image": [_canonical(image) for image in images]}
        return [
            classification
            for answer in self._in_parts("classify", inputs, timeout)
            for classification in _classifications(answer, known_threshold)
        ]

    def classify_files(
        self, files: Iterable[Path], batch_size: int = 16, in_flight: int = 4
    ) -> Iterator[FileAnswer]:
        """Classify any number of files, in their order.

        Files are read as answers arrive, so that at most `batch_size * (in_flight + 1)` are in
        memory. A file that cannot be used is reported in its place and does not affect the others;
        so is one that the server refuses.

        Args:
            files: Image files.
            batch_size: Images in a request.
            in_flight: Requests that wait for their answer at the same time.

        Raises:
            ServingError: There was no answer.
        """
        pending: deque[tuple[list[FileAnswer], Any]] = deque()
        rest = iter(files)
        while batch := list(itertools.islice(rest, batch_size)):
            pending.append(self._ask_for_files(batch))
            if len(pending) > in_flight:
                yield from self._file_answers(*pending.popleft())
        while pending:
            yield from self._file_answers(*pending.popleft())

    def embed(self, images: Sequence[Image]) -> tuple[np.ndarray, np.ndarray]:
        """Return embeddings float32 [n, d] of n images, and which images are valid, bool [n].

        Raises:
            ImageError: An image cannot be read.
            ServingError: There was no answer.
            ValueError: There are no images.
        """
        if not images:
            raise ValueError("give at least one image: without any, the size d is unknown")
        inputs = {"image": [_canonical(image) for image in images]}
        answers = list(self._in_parts("embed", inputs))
        return (
            np.concatenate([_output(answer, "embedding") for answer in answers]),
            np.concatenate([_output(answer, "valid") for answer in answers]),
        )

    def _in_parts(
        self,
        signature: str,
        inputs: Mapping[str, Sequence[bytes]],
        timeout: float | None = None,
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yield the outputs in parts: a server encodes all images of a request at once."""
        (count,) = {len(values) for values in inputs.values()}
        for start in range(0, count, _IN_A_REQUEST):
            part = slice(start, start + _IN_A_REQUEST)
            values = {name: images[part] for name, images in inputs.items()}
            yield self.predict(signature, values, timeout)

    def _ask_for_files(self, files: Sequence[Path]) -> tuple[list[FileAnswer], Any]:
        """Return the files, with the problems of unusable ones, and the future of the others."""
        answers, images = [], []
        for file in files:
            try:
                images.append(_canonical(file))
                answers.append(FileAnswer(file, None))
            except ImageError as e:
                answers.append(FileAnswer(file, None, str(e)))
        return answers, self.ask("classify", {"image": images}) if images else None

    def _file_answers(self, files: Sequence[FileAnswer], future: Any) -> Iterator[FileAnswer]:
        try:
            classified = iter(_classifications(self.answer(future)) if future else ())
        except ServingError as e:
            if not _is_refusal(e):
                raise
            if len(files) == 1:
                yield FileAnswer(files[0].file, None, f"{files[0].file}: {e}")
            else:  # whichever it was: each by itself
                for each in files:
                    yield from self._file_answers(*self._ask_for_files([each.file]))
            return
        for each in files:
            if each.problem:
                yield each
                continue
            answer = next(classified)
            if answer.valid:
                yield FileAnswer(each.file, answer)
            else:
                problem = f"{each.file}: {refused_by_the_model(answer.reason)}"
                yield FileAnswer(each.file, None, problem)


def _is_refusal(error: ServingError) -> bool:
    """Return whether a server refuses these images and may answer about others."""
    too_large = "larger than max" in str(error)  # the message; not too many of them
    return error.code is grpc.StatusCode.INVALID_ARGUMENT or too_large


def refused_by_the_model(reason: str) -> str:
    """Return why a model cannot use an image.

    Args:
        reason: The model's answer; empty if it was exported before 0.3.
    """
    if reason == "too_many_pixels":
        return "has more pixels than data.max_pixels of the model's configuration allows"
    named = f" ({reason})" if reason else ""
    return (
        f"the model cannot use it{named}; by the configuration that the model was trained with, it "
        "has more pixels than data.max_pixels, does not contain image.region, or is of a depth "
        "without image.range"
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


def _classifications(
    answer: Mapping[str, np.ndarray], threshold: float | None = None
) -> list[Classification]:
    scores = _output(answer, "scores")
    known = _output(answer, "known") if threshold is None else scores[:, 0] >= threshold
    return [
        Classification(
            label=_text(label),
            known=bool(known),
            scores=_by_class(classes, scores) if valid else {},
            nearest=[_text(source) for source in nearest] if valid else [],
            valid=bool(valid),
            reason=reason,
            probabilities=_by_class(classes, probabilities) if valid else {},
        )
        for known, scores, probabilities, reason, label, classes, nearest, valid in zip(
            known,
            scores,
            answer.get("probabilities", np.empty([len(scores), 0])),
            _reasons(answer),
            *(_output(answer, name) for name in ("label", "classes", "nearest", "valid")),
            strict=True,
        )
    ]


def _output(answer: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    try:
        return answer[name]
    except KeyError:
        raise ServingError(
            f"the model does not answer with {name!r}; train the model again",
            grpc.StatusCode.FAILED_PRECONDITION,
        ) from None


def _by_class(classes: np.ndarray, numbers: np.ndarray) -> dict[str, float]:
    """Return numbers by class; nothing if a model has none."""
    return {_text(name): float(number) for name, number in zip(classes, numbers, strict=False)}


def _reasons(answer: Mapping[str, np.ndarray]) -> list[str]:
    """Return why each image is not valid; models exported before 0.3 do not say it."""
    return [_text(each) for each in answer.get("reason", [b""] * len(answer["valid"]))]


def _text(value: bytes) -> str:
    """Return a class or file name; bytes that are not UTF-8 are escaped."""
    return value.decode("utf-8", "backslashreplace")
