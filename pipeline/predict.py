"""Compares image files with a pushed model, in this process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.canonical_image import UnusableImage, canonical_image
from components.printable import printable

if TYPE_CHECKING:
    from serving.predictor import Comparison

Pair = tuple[Path, Path, "bool | None"]
"""Left and right file, and whether they are of the same class, where that is known."""


def newest_model(serving_root: str) -> Path:
    """The newest version below a base path.

    Raises:
        ValueError: There is none.
    """
    root = Path(serving_root)
    versions = [path for path in root.glob("*") if path.name.isdigit()] if root.is_dir() else []
    if not versions:
        raise ValueError(f"{root}: no model has been pushed there; run the pipeline: siamese run")
    return max(versions, key=lambda path: int(path.name))


def compare_files(model: Path, pairs: Sequence[Pair]) -> list[Comparison]:
    """What the model says of pairs of files.

    Raises:
        ValueError: The model or a file cannot be used.
    """
    files = dict.fromkeys(path for left, right, _ in pairs for path in (left, right))
    images = {path: _read(path) for path in files}
    from serving.predictor import Predictor

    answers = Predictor(model).compare(
        [images[left] for left, _, _ in pairs], [images[right] for _, right, _ in pairs]
    )
    for (left, right, _), answer in zip(pairs, answers, strict=True):
        if not answer.valid:
            raise ValueError(
                f"{left} or {right}: the model cannot use one of them; it has more pixels than the "
                "data.max_pixels that the model was trained with"
            )
    return answers


def show_pairs(
    console: Console, model: Path, pairs: Sequence[Pair], answers: Sequence[Comparison]
) -> None:
    """A table of the pairs."""
    known = any(same is not None for _, _, same in pairs)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("Left", "Right", *(["In truth"] if known else []), "Similarity", "Verdict"):
        table.add_column(column, justify="right" if column == "Similarity" else "left")
    right_ones = 0
    for (left, right, same), (similarity, verdict, _) in zip(pairs, answers, strict=True):
        right_ones += verdict == same
        style = "" if same is None else "green" if verdict == same else "red"
        truth = [Text(_word(bool(same)))] if known else []
        row = [Text(_short(left)), Text(_short(right)), *truth]
        table.add_row(*row, f"{similarity:.3f}", Text(_word(verdict), style=style))
    console.print(f"Model {model}", highlight=False, markup=False, soft_wrap=True)
    console.print(table)
    if known:
        console.print(f"{right_ones} of {len(pairs)} pairs are judged rightly.", highlight=False)


def show_pairs_as_json(
    console: Console, model: Path, pairs: Sequence[Pair], answers: Sequence[Comparison]
) -> None:
    """The same for machines."""
    rows = [
        {
            "left": printable(str(left)),
            "right": printable(str(right)),
            "similarity": answer.similarity,
            "same": answer.same,
            **({} if same is None else {"truth": same}),
        }
        for (left, right, same), answer in zip(pairs, answers, strict=True)
    ]
    console.print_json(json.dumps({"model": str(model), "pairs": rows}))


def _read(path: Path) -> bytes:
    try:
        return canonical_image(path.read_bytes()).data
    except UnusableImage as e:
        raise ValueError(f"{path} {e}") from e
    except OSError as e:
        raise ValueError(f"{path}: cannot be read ({e.strerror}); name an image file") from e


def _short(path: Path) -> str:
    return printable("/".join(path.parts[-2:]))


def _word(same: bool) -> str:
    return "same" if same else "different"
