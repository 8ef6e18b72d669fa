"""Writes recorded answers as a table: CSV, Parquet or NumPy's npz."""

from __future__ import annotations

import base64
import contextlib
import csv
import importlib.util
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from base.errors import UserError
from base.printable import printable
from serving.answers import Classification, Embedding
from serving.file_batch import FileAnswer

Row = dict[str, Any]

_ROWS = 10_000
_COLUMNS = {
    "image": "string",
    "label": "string",
    "known": "bool_",
    "score": "float32",
    "probability": "float32",
    "nearest": "string",
    "problem": "string",
    "model_version": "int64",
}
"""Of a table of classifications: each column's type in Arrow. Scores by class follow."""


class Embeddings(NamedTuple):
    """Embeddings of files.

    Attributes:
        images: n paths or addresses.
        vectors: float32 [n, d].
        version: Of the model; None if unknown.
    """

    images: list[str]
    vectors: np.ndarray
    version: int | None


def check_output(output: Path, formats: Iterable[str]) -> None:
    """See that a table can be written.

    Args:
        output: Its file.
        formats: The endings that are possible.

    Raises:
        UserError: It cannot: the message says why.
    """
    if output.suffix not in formats:
        raise UserError(f"{output}: the file's name must end in {' or '.join(formats)}")
    if output.exists():
        raise UserError(f"{output}: exists; delete it, or name another file")
    if not output.parent.is_dir():
        raise UserError(f"{output}: there is no folder {output.parent}; create it")
    if output.suffix == ".parquet":
        _arrow()


def classification_row(name: str, answer: FileAnswer[Classification]) -> Row:
    """Return what is recorded about a file."""
    row: Row = {"image": name, "problem": answer.problem, "model_version": answer.version}
    if (said := answer.answer) is None:
        return row
    return {
        **row,
        "label": said.label,
        "known": said.known,
        "score": said.scores[said.label],
        "probability": said.probabilities.get(said.label),
        "nearest": said.nearest[0],
        "scores": said.scores,
    }


def embedding_row(name: str, answer: FileAnswer[Embedding]) -> Row:
    """Return what is recorded about a file."""
    row: Row = {"image": name, "problem": answer.problem, "model_version": answer.version}
    if answer.answer is not None:
        row["vector"] = base64.b64encode(answer.answer.vector.astype("<f4").tobytes()).decode()
    return row


def write_classifications(rows: Callable[[], Iterable[Row]], output: Path) -> None:
    """Write a table of classifications, with a column of scores for each class, by name.

    Args:
        rows: Returns the rows anew at each call, so that they need not be in memory.
        output: .csv or .parquet; appears when it is complete.
    """
    classes = sorted({name for row in rows() for name in row.get("scores", ())})
    columns = {**_COLUMNS, **{f"score_{name}": "float32" for name in classes}}
    flat = (_flat(row, classes) for row in rows())
    (_write_csv if output.suffix == ".csv" else _write_parquet)(flat, columns, output)


def write_embeddings(rows: Callable[[], Iterable[Row]], output: Path) -> None:
    """Write a table of embeddings.

    Args:
        rows: As for `write_classifications`.
        output: .parquet; or .npz, which has the arrays `image`, `embedding` and `model_version` of
            those images that have one.
    """
    if output.suffix == ".npz":
        usable = [row for row in rows() if "vector" in row]
        arrays = {
            "image": np.array([printable(row["image"]) for row in usable], str),
            "embedding": np.array([_vector(row) for row in usable], np.float32),
            "model_version": np.array([row["model_version"] or 0 for row in usable], np.int64),
        }
        with _complete(output) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)
        return
    columns = {"image": "string", "embedding": "", "problem": "string", "model_version": "int64"}
    flat = (
        {
            "image": printable(row["image"]),
            "embedding": _vector(row) if "vector" in row else None,
            "problem": printable(row["problem"]),
            "model_version": row["model_version"],
        }
        for row in rows()
    )
    _write_parquet(flat, columns, output)


def read_embeddings(path: Path) -> Embeddings:
    """Return the embeddings of a table of `write_embeddings`, without files that have none.

    Raises:
        UserError: The file is no such table, or is of several versions of a model.
    """
    try:
        if path.suffix == ".npz":
            with np.load(path) as table:
                images, vectors = table["image"].tolist(), table["embedding"]
                versions = set(table["model_version"].tolist())
        else:
            _arrow()
            from pyarrow import parquet

            rows = parquet.read_table(path, columns=["image", "embedding", "model_version"])
            rows = rows.filter(rows["embedding"].is_valid())
            images, versions = rows["image"].to_pylist(), set(rows["model_version"].to_pylist())
            flat = rows["embedding"].combine_chunks().flatten().to_numpy()
            vectors = flat.reshape(len(images), -1) if images else np.empty([0, 0], np.float32)
    except UserError:
        raise
    except Exception as e:  # of several readers
        raise UserError(f"{path}: is no table that siamese embed has written ({e})") from e
    if len(versions) > 1:
        raise UserError(f"{path}: has embeddings of several versions of the model; embed again")
    return Embeddings(images, vectors, next(iter(versions), None) or None)


def _flat(row: Row, classes: Iterable[str]) -> Row:
    scores = row.get("scores", {})
    told = {name: row.get(name) for name in _COLUMNS}
    told = {name: printable(v) if isinstance(v, str) else v for name, v in told.items()}
    return {**told, **{f"score_{name}": scores.get(name) for name in classes}}


def _vector(row: Row) -> np.ndarray:
    return np.frombuffer(base64.b64decode(row["vector"]), "<f4")


def _write_csv(rows: Iterable[Row], columns: dict[str, str], output: Path) -> None:
    with (
        _complete(output) as partial,
        partial.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file,
    ):
        writer = csv.DictWriter(file, list(columns))
        writer.writeheader()
        writer.writerows(rows)


def _write_parquet(rows: Iterable[Row], columns: dict[str, str], output: Path) -> None:
    arrow = _arrow()
    from pyarrow import parquet

    schema = arrow.schema(
        [
            (name, getattr(arrow, kind)() if kind else arrow.list_(arrow.float32()))
            for name, kind in columns.items()
        ]
    )
    rest = iter(rows)
    with (
        _complete(output) as partial,
        parquet.ParquetWriter(partial, schema, compression="zstd") as writer,
    ):
        while part := list(itertools.islice(rest, _ROWS)):
            arrays = {name: [row[name] for row in part] for name in columns}
            writer.write_table(arrow.table(arrays, schema))


@contextlib.contextmanager
def _complete(output: Path) -> Iterator[Path]:
    """Yield a file that takes the place of `output` when it is complete."""
    partial = output.with_name(f".{output.name}.writing")
    yield partial
    os.replace(partial, output)


def _arrow() -> Any:
    if importlib.util.find_spec("pyarrow") is None:
        raise UserError(
            "Parquet needs pyarrow: pip install 'siamese-tfx[parquet]'; or write .csv or .npz"
        )
    import pyarrow

    return pyarrow
