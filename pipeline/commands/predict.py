"""`siamese predict`: are two images of the same class?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from base.errors import UserError
from base.printable import printable
from pipeline.commands.options import AsJson, Quiet, Verbose
from pipeline.commands.served_model import (
    Connection,
    HeldOut,
    connected_with_held_out,
    short_path,
    with_connection,
)
from pipeline.runs.sampling import draw_pairs
from pipeline.terminal.console import out
from pipeline.terminal.tables import make_table

if TYPE_CHECKING:
    from rich.console import Console

    from serving.answers import Comparison

Pair = tuple[Path, Path, "bool | None"]
"""Left file, right file, and whether they are of the same class; None: unknown."""


@with_connection
def predict(
    left: Annotated[Path | None, typer.Argument(metavar="IMAGE", help="An image file.")] = None,
    right: Annotated[
        Path | None, typer.Argument(metavar="IMAGE", help="The image to compare it with.")
    ] = None,
    held_out: HeldOut = 0,
    connection: Connection = Connection(),  # noqa: B008 -- becomes options
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Predict whether two images are of the same class, and how similar they are (0 to 1).

    Without --server this takes longer, since a server is started for it. `siamese serve`
    keeps one running.

    Example: [bold]siamese predict a.jpg b.jpg --server localhost:8500 --name parts[/]
    """
    if bool(held_out) == bool(left or right) or (left is None) != (right is None):
        raise UserError("name two images, or a number of pairs by --held-out")
    with connected_with_held_out(connection, draw_pairs, held_out) as (client, drawn):
        pairs: list[Pair] = [(left, right, None)] if left and right else [*drawn]
        answers = client.compare([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    _refuse_invalid(pairs, answers)
    (show_pairs_as_json if as_json else show_pairs)(out, pairs, answers)


def _refuse_invalid(pairs: Sequence[Pair], answers: Sequence[Comparison]) -> None:
    for (left, right, _), answer in zip(pairs, answers, strict=True):
        if not answer.valid:
            from serving.answers import refused_by_the_model

            raise UserError(f"{left} or {right}: {refused_by_the_model(answer.reason)}")


def show_pairs(console: Console, pairs: Sequence[Pair], answers: Sequence[Comparison]) -> None:
    """Print a table of pairs, and how many are correct where that is known."""
    labelled = any(same is not None for _, _, same in pairs)
    table = make_table("Left", "Right", *(["True"] if labelled else []), ">Similarity", "Predicted")
    correct = 0
    for (left, right, same), answer in zip(pairs, answers, strict=True):
        correct += answer.same == same
        style = "" if same is None else "green" if answer.same == same else "red"
        truth = [Text(_word(bool(same)))] if labelled else []
        row = [Text(short_path(left)), Text(short_path(right)), *truth]
        table.add_row(*row, f"{answer.similarity:.3f}", Text(_word(answer.same), style=style))
    console.print(table)
    if labelled:
        console.print(f"{correct} of {len(pairs)} pairs are correct.", highlight=False)


def show_pairs_as_json(
    console: Console, pairs: Sequence[Pair], answers: Sequence[Comparison]
) -> None:
    """Print an object with a list of pairs."""
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
    console.print_json(json.dumps({"pairs": rows}))


def _word(same: bool) -> str:
    return "same" if same else "different"
