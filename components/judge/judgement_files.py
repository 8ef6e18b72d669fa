"""Reads and writes a judgement's files, locally or by an address such as gs://bucket/folder."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np

from judging.judge import Judged
from judging.judgement import Judgement
from judging.outcomes import ImageOutcome, PairOutcome
from judging.reference import Reference
from storage.file_systems import exists, open_file

REFERENCE = "reference.npz"
"""The images that a model was judged on: what its traffic is compared with (docs/monitoring.md)."""

_Line = TypeVar("_Line", ImageOutcome, PairOutcome)


def write_judgement(folder: str, judged: Judged) -> None:
    """Write a judgement and the outcomes of its images and pairs, which must not be read yet."""
    if judged.reference is not None:
        _write_reference(os.path.join(folder, REFERENCE), judged.reference)
    _write_lines(os.path.join(folder, Judgement.OUTCOMES), judged.outcomes)
    _write_lines(os.path.join(folder, Judgement.PAIRS), judged.pairs)
    # Last: a folder that holds this file is complete.
    with open_file(os.path.join(folder, Judgement.FILE), "w") as file:
        file.write(judged.judgement.model_dump_json(indent=1))


def read_judgement(folder: str) -> Judgement:
    """Return the judgement in an artifact's or a run's folder.

    Raises:
        FileNotFoundError: The folder holds none.
        pydantic.ValidationError: It is damaged, or of another version of this project.
    """
    with open_file(os.path.join(folder, Judgement.FILE)) as file:
        return Judgement.model_validate_json(file.read())


def read_reference(folder: str) -> Reference | None:
    """Return what traffic is compared with; None if the folder holds no reference."""
    path = os.path.join(folder, REFERENCE)
    if not exists(path):
        return None
    with open_file(path, "rb") as file, np.load(io.BytesIO(file.read())) as saved:
        return Reference(*(saved[name] for name in Reference._fields))


def read_image_outcomes(folder: str) -> Iterator[ImageOutcome]:
    """Yield the outcome of each image, in the order of the ids.

    Raises:
        FileNotFoundError: The folder holds none.
    """
    return _read_lines(os.path.join(folder, Judgement.OUTCOMES), ImageOutcome)


def read_pair_outcomes(folder: str) -> Iterator[PairOutcome]:
    """Yield the outcome of each pair.

    Raises:
        FileNotFoundError: The folder holds none.
    """
    return _read_lines(os.path.join(folder, Judgement.PAIRS), PairOutcome)


def _write_reference(path: str, reference: Reference) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{k: np.asarray(v) for k, v in reference._asdict().items()})
    with open_file(path, "wb") as file:
        file.write(buffer.getvalue())


def _write_lines(path: str, lines: Iterable[ImageOutcome] | Iterable[PairOutcome]) -> None:
    with open_file(path, "w") as file:
        for line in lines:
            file.write(line.model_dump_json() + "\n")


def _read_lines(path: str, kind: type[_Line]) -> Iterator[_Line]:
    with open_file(path) as file:
        for line in file:
            yield kind.model_validate_json(line)
