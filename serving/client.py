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

    def compare(self, left: Sequence[Image], right: Sequence[Image]) -> list[Comparison]:
        """Return whether the images of n pairs are of the same class.

        Args:
            left: n images.
            right: The n images to compare them with.

        Raises:
            ImageError: An image cannot be read.
            ServingError: There was no answer.
            ValueError: `left` and `right` differ in length.
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
        """Return the class of each of n images, and whether it is of any known class.

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

        Files are read as answers arrive, so that at most `batch_size * (in_flight + 1)` are in
        memory. A file that cannot be used is reported in its place and does not affect the others.

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
        self, signature: str, inputs: Mapping[str, Sequence[bytes]]
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yield the outputs in parts: a server encodes all images of a request at once."""
        (count,) = {len(values) for values in inputs.values()}
        for start in range(0, count, _IN_A_REQUEST):
            part = slice(start, start + _IN_A_REQUEST)
            yield self.predict(signature, {name: values[part] for name, values in inputs.items()})

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
        classified = iter(_classifications(self.answer(future)) if future else ())
        for each in files:
            if each.problem:
                yield each
                continue
            answer = next(classified)
            if answer.valid:
                yield FileAnswer(each.file, answer)
            else:
                yield FileAnswer(each.file, None, f"{each.file}: {REFUSED_BY_THE_MODEL}")


REFUSED_BY_THE_MODEL = (
    "the model cannot use it; by the configuration that the model was trained with, it has more "
    "pixels than data.max_pixels, does not contain image.region, or is of a depth without "
    "image.range"
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
            f"the model does not answer with {name!r}; train the model again",
            grpc.StatusCode.FAILED_PRECONDITION,
        ) from None


def _text(value: bytes) -> str:
    """Return a class or file name; bytes that are not UTF-8 are escaped."""
    return value.decode("utf-8", "backslashreplace")
