"""Files of one request: what is sent of them, and an answer about each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from serving.answers import Classification, Embedding, refused_by_the_model
from serving.query_image import ImageError, QueryImage, canonical_query, name_of
from serving.serving_error import ServingError

Answer = TypeVar("Answer", Classification, Embedding)


@dataclass(frozen=True)
class FileAnswer(Generic[Answer]):
    """The answer about a file.

    Attributes:
        file: As it was given.
        answer: The model's answer; None if the file cannot be used.
        problem: Why it cannot be used; empty if there is an answer.
        version: Of the model that answered; None if it did not say.
    """

    file: Any
    answer: Answer | None
    problem: str = ""
    version: int | None = None


class _Read(NamedTuple):
    file: QueryImage
    image: bytes | None
    problem: str


class FileBatch:
    """Files that have been read.

    Attributes:
        images: The canonical images of those that can be used.
    """

    def __init__(self, read: Sequence[_Read]) -> None:
        self._read = read
        self.images = [each.image for each in read if each.image is not None]

    @classmethod
    def read(cls, files: Sequence[QueryImage]) -> FileBatch:
        """Return files with their images, or why they cannot be used."""
        read = []
        for file in files:
            try:
                read.append(_Read(file, canonical_query(file), ""))
            except ImageError as e:
                read.append(_Read(file, None, str(e)))
        return cls(read)

    def apart(self) -> list[FileBatch]:
        """Return a batch for each file."""
        return [FileBatch([each]) for each in self._read]

    def refused(self, error: ServingError) -> list[FileAnswer[Answer]]:
        """Return the answer about the only file, which a server refuses."""
        ((file, _, _),) = self._read
        return [FileAnswer(file, None, f"{name_of(file)}: {error}")]

    def answers(
        self, answers: Sequence[Answer], version: int | None = None
    ) -> list[FileAnswer[Answer]]:
        """Return an answer about each file.

        Args:
            answers: Those about `images`.
            version: Of the model.
        """
        given, rows = iter(answers), []
        for file, image, problem in self._read:
            if image is None:
                rows.append(FileAnswer[Answer](file, None, problem))
                continue
            answer = next(given)
            if answer.valid:
                rows.append(FileAnswer(file, answer, "", version))
            else:
                problem = f"{name_of(file)}: {refused_by_the_model(answer.reason)}"
                rows.append(FileAnswer(file, None, problem, version))
        return rows
