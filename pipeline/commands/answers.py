"""Shows what a served model says of images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from base.printable import printable
from pipeline.terminal.table import make_table

if TYPE_CHECKING:
    from serving.answers import Comparison
    from serving.client import FileAnswer

Pair = tuple[Path, Path, "bool | None"]
"""Left and right file, and whether they are of the same class, where that is known."""


def show_pairs(console: Console, pairs: Sequence[Pair], answers: Sequence[Comparison]) -> None:
    """A table of the pairs."""
    known = any(same is not None for _, _, same in pairs)
    truth_column = ["In truth"] if known else []
    table = make_table("Left", "Right", *truth_column, ">Similarity", "Verdict")
    right_ones = 0
    for (left, right, same), answer in zip(pairs, answers, strict=True):
        right_ones += answer.same == same
        style = "" if same is None else "green" if answer.same == same else "red"
        truth = [Text(_word(bool(same)))] if known else []
        row = [Text(_short(left)), Text(_short(right)), *truth]
        table.add_row(*row, f"{answer.similarity:.3f}", Text(_word(answer.same), style=style))
    console.print(table)
    if known:
        console.print(f"{right_ones} of {len(pairs)} pairs are judged rightly.", highlight=False)


def show_pairs_as_json(
    console: Console, pairs: Sequence[Pair], answers: Sequence[Comparison]
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
    console.print_json(json.dumps({"pairs": rows}))


def show_answer(console: Console, answer: FileAnswer, truth: str | None = None) -> None:
    """One line: the file, its class and score, and the evidence.

    Args:
        console: To print on.
        answer: What came of the file.
        truth: The class it is of, where that is known.
    """
    if answer.answer is None:
        console.print(Text(printable(answer.problem), style="yellow"), soft_wrap=True)
        return
    said = answer.answer
    verdict = f"{said.label}" if said.known else f"none it knows; nearest to {said.label}"
    right = said.known and said.label == truth
    style = "" if truth is None else "green" if right else "red"
    line = Text(f"{_short(answer.file)}: ")
    line.append(printable(verdict), style=style)
    line.append(f" ({said.scores[said.label]:.3f}), as {printable(said.nearest[0])}")
    if truth is not None and not right:
        line.append(f"; in truth {printable(truth)}")
    console.print(line, soft_wrap=True)


def answer_as_json(answer: FileAnswer, truth: str | None = None) -> dict[str, Any]:
    """The same for machines."""
    about: dict[str, Any] = {"image": printable(str(answer.file))}
    if answer.answer is None:
        return {**about, "problem": printable(answer.problem)}
    said = answer.answer
    return {
        **about,
        "label": said.label,
        "known": said.known,
        "scores": said.scores,
        "nearest": said.nearest,
        **({} if truth is None else {"truth": truth}),
    }


class Tally:
    """Counts answers.

    Attributes:
        known: Images of a class.
        unknown: Images of none.
        unusable: Files that could not be used.
        judged: Images whose class is known in truth.
        right: Those of them whose class was said.
    """

    def __init__(self) -> None:
        self.known = self.unknown = self.unusable = self.judged = self.right = 0

    def count(self, answer: FileAnswer, truth: str | None = None) -> None:
        """Add one."""
        if answer.answer is None:
            self.unusable += 1
            return
        if answer.answer.known:
            self.known += 1
        else:
            self.unknown += 1
        if truth is not None:
            self.judged += 1
            self.right += answer.answer.known and answer.answer.label == truth

    def in_words(self, seconds: float) -> str:
        """One sentence or two.

        Args:
            seconds: That the answers took.
        """
        images = self.known + self.unknown
        say = f"{images} images, {images / seconds:.1f} a second: {self.known} of a class"
        say += f", {self.unknown} of none that is known"
        if self.unusable:
            say += f"; {self.unusable} files could not be used"
        if self.judged:
            say += f". {self.right} of {self.judged} are judged rightly"
        return f"{say}."


def _short(path: Path) -> str:
    return printable("/".join(path.parts[-2:]))


def _word(same: bool) -> str:
    return "same" if same else "different"
