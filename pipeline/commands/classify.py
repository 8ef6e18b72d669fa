"""`siamese classify`: which class is each image of?"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from base.errors import UserError
from base.printable import printable
from pipeline import log_noise
from pipeline.commands.bulk import (
    BatchSize,
    InFlight,
    asked_about,
    journal_for,
    journal_path,
    listed_without,
    outside,
)
from pipeline.commands.options import Quiet, Verbose
from pipeline.commands.served_model import (
    Connection,
    HeldOut,
    connected,
    connected_with_held_out,
    pushed_model,
    short_path,
    with_connection,
)
from pipeline.runs.sampling import draw_images
from pipeline.terminal.console import FAILED, note, out, progress
from serving.bulk.listing import list_files
from storage.file_systems import is_remote

if TYPE_CHECKING:
    from rich.console import Console

    from serving.client import FileAnswer


@with_connection
def classify(
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE", help="Image files, or folders of them; also on s3:// and gs://."
        ),
    ] = None,
    held_out: HeldOut = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write a table, .csv or .parquet. After a kill, the same command goes on.",
        ),
    ] = None,
    sort_into: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Copy the files into a folder for each class, 'unknown' and 'not an image' here; "
            "with a table, answers.csv, unless --output names one.",
        ),
    ] = None,
    on_beam: Annotated[
        bool,
        typer.Option(
            "--on-beam",
            help="Classify on Apache Beam with the configuration's beam.args, where one machine "
            "is not enough: the newest model, --version or --label, without a server, and with "
            "--output.",
        ),
    ] = False,
    known_threshold: Annotated[
        float | None,
        typer.Option(
            metavar="SCORE", help="Least score of a known class; default: the model's own."
        ),
    ] = None,
    batch_size: BatchSize = 16,
    in_flight: InFlight = 4,
    connection: Connection = Connection(),  # noqa: B008 -- becomes options
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object per image.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Predict each image's class, or that it is unknown to the model.

    Without --server this takes longer, since a server is started for it. `siamese serve`
    keeps one running. Files that cannot be used are named among the answers and make the exit code
    1; hidden files and those of a file browser (Thumbs.db) are skipped.

    Example: [bold]siamese classify photos/ --config configs/quickstart.yaml[/]
    """
    if bool(held_out) == bool(images):
        raise UserError("name images or folders, or a number of test images by --held-out")
    if on_beam:
        if output is None or connection.config is None or held_out or sort_into or as_json:
            raise UserError(
                "--on-beam needs --output and --config, and goes with no --held-out, --sort-into "
                "or --json"
            )
        return _classify_on_beam(images or [], output, known_threshold, connection)
    if output or sort_into:
        if held_out or as_json:
            raise UserError("--output and --sort-into go with neither --held-out nor --json")
        return _classify_to_table(
            images or [], output, sort_into, known_threshold, batch_size, in_flight, connection
        )
    files = [_file(listed.path) for listed in list_files(images or [])]
    with connected_with_held_out(connection, draw_images, held_out) as (client, drawn):
        truths: dict[Any, str] = dict(drawn)
        tally, began = Tally(), time.monotonic()
        for answer in client.classify_files(
            files or list(truths), batch_size, in_flight, known_threshold
        ):
            truth = truths.get(answer.file)
            tally.count(answer, truth)
            if as_json:
                print(json.dumps(answer_as_json(answer, truth)), flush=True)
            else:
                show_answer(out, answer, truth)
    _conclude(tally, began)


def _classify_to_table(
    images: Sequence[str],
    output: Path | None,
    sort_into: Path | None,
    known_threshold: float | None,
    batch_size: int,
    in_flight: int,
    connection: Connection,
) -> None:
    from serving.bulk.sorted_copies import SortedCopies, check_names
    from serving.bulk.tables import check_output, classification_row, write_classifications

    if sort_into:
        outside(sort_into, images)
    output = output or (sort_into or Path()) / "answers.csv"
    continued = journal_path(output).exists()
    copies = SortedCopies(sort_into, continued) if sort_into else None
    if sort_into:
        sort_into.mkdir(parents=True, exist_ok=True)
    check_output(output, (".csv", ".parquet"))
    files = listed_without(images, output, journal_path(output))
    if copies:
        check_names(files)
    asked = {"known_threshold": known_threshold, "sort_into": sort_into and str(sort_into)}
    with (
        journal_for(output, "classify", connection, **asked) as journal,
        connected(connection) as client,
    ):
        tally, began = Tally(), time.monotonic()
        for file, answer in asked_about(
            files,
            journal,
            lambda paths: client.classify_files(paths, batch_size, in_flight, known_threshold),
        ):
            tally.count(answer)
            if copies:
                copies.add(file, answer)
            journal.add(classification_row(file.path, answer))
        write_classifications(journal.rows, output)
    _conclude(tally, began)


def _classify_on_beam(
    images: Sequence[str], output: Path, known_threshold: float | None, connection: Connection
) -> None:
    from serving.bulk.tables import check_output

    check_output(output, (".csv", ".parquet"))
    paths = sorted({listed.path for listed in listed_without(images, output)})
    config, model = pushed_model(connection)
    log_noise.load_tensorflow()
    from pipeline.classify_on_beam import Classifier, classify_on_beam

    began = time.monotonic()
    with progress.status(f"Classifying {len(paths)} files on Beam ..."):
        classifier = Classifier(model, known_threshold)
        rows = classify_on_beam(classifier, paths, config.beam.args, config.pipeline_root, output)
    tally = Tally()
    for row in rows:
        tally.count_known(row.get("known"))
    note(f"{output} has {len(rows)} rows.")
    _conclude(tally, began)


def _file(path: str) -> Path | str:
    return path if is_remote(path) else Path(path)


def _conclude(tally: Tally, began: float) -> None:
    note(tally.sentence(time.monotonic() - began))
    if tally.unusable:
        raise typer.Exit(FAILED)


def show_answer(console: Console, answer: FileAnswer, truth: str | None = None) -> None:
    """Print a line: the file, its class and score, and the nearest support image.

    Args:
        console: To print on.
        answer: The answer for a file.
        truth: The file's true class, if known.
    """
    if answer.answer is None:
        console.print(Text(printable(answer.problem), style="yellow"), soft_wrap=True)
        return
    said = answer.answer
    label = printable(said.label if said.known else f"unknown, nearest class {said.label}")
    correct = said.known and said.label == truth
    line = Text(f"{short_path(Path(answer.file))}: ")
    line.append(label, style="" if truth is None else "green" if correct else "red")
    line.append(f" ({said.scores[said.label]:.3f}), nearest image {printable(said.nearest[0])}")
    if truth is not None and not correct:
        line.append(f"; true class {printable(truth)}")
    console.print(line, soft_wrap=True)


def answer_as_json(answer: FileAnswer, truth: str | None = None) -> dict[str, Any]:
    """Return a file's answer as values of JSON."""
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
        known: Images classified as a known class.
        unknown: Images classified as unknown.
        unusable: Files that could not be used.
        labelled: Images whose true class is known.
        correct: Labelled images that were classified correctly.
    """

    def __init__(self) -> None:
        self.known = self.unknown = self.unusable = self.labelled = self.correct = 0

    def count_known(self, known: bool | None) -> None:
        """Add an answer that says whether the class is known; None for a file without one."""
        if known is None:
            self.unusable += 1
        elif known:
            self.known += 1
        else:
            self.unknown += 1

    def count(self, answer: FileAnswer, truth: str | None = None) -> None:
        """Add an answer."""
        self.count_known(None if answer.answer is None else answer.answer.known)
        if truth is not None and answer.answer is not None:
            self.labelled += 1
            self.correct += answer.answer.known and answer.answer.label == truth

    def sentence(self, seconds: float) -> str:
        """Return the counts in a sentence.

        Args:
            seconds: Time that the answers took.
        """
        images = self.known + self.unknown
        counts = f"{images} images ({images / seconds:.1f} per second): {self.known} of a known "
        counts += f"class, {self.unknown} unknown"
        if self.unusable:
            counts += f"; {self.unusable} files could not be used"
        if self.labelled:
            counts += f". {self.correct} of {self.labelled} are classified correctly"
        return f"{counts}."
