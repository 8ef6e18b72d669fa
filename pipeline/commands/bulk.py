"""What commands share that ask about many files and write a table."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from base.errors import UserError
from pipeline.commands.served_model import Connection
from pipeline.terminal.console import note, progress
from serving.bulk.journal import Journal
from serving.bulk.listing import Listed, list_files
from storage.file_systems import is_remote

if TYPE_CHECKING:
    from serving.file_batch import FileAnswer

BatchSize = Annotated[int, typer.Option(metavar="N", min=1, help="Images per request.")]
InFlight = Annotated[int, typer.Option(metavar="N", min=1, help="Concurrent requests.")]


def listed_without(images: Sequence[str], *written: Path) -> list[Listed]:
    """Return the files of images, without those that the command itself writes."""
    files = list_files(images)
    own = {path.resolve() for path in written}
    folders = {path.parent for path in own}
    return [
        file
        for file in files
        if is_remote(file.path)
        or Path(file.path).parent.resolve() not in folders
        or Path(file.path).resolve() not in own
    ]


def journal_path(output: Path) -> Path:
    """Return where answers are recorded until the table is complete."""
    return output.with_name(f"{output.name}.partial")


@contextlib.contextmanager
def journal_for(
    output: Path, command: str, connection: Connection, **asked: Any
) -> Iterator[Journal]:
    """Yield the journal of a table; delete it at the end, or say how to go on after an error.

    Args:
        output: The table.
        command: Whose answers they are.
        connection: Which model answers.
        asked: What else decides the answers.
    """
    question = {
        "command": command,
        "model": connection.name or str(connection.config),
        "version": connection.version,
        "label": connection.label,
        **asked,
    }
    journal = Journal(journal_path(output), question)
    if journal.done:
        note(
            f"{journal.path}: has {len(journal.done)} answers of a run that was stopped; going on."
        )
    try:
        yield journal
    except BaseException:
        if not journal.done:
            journal.delete()
            raise
        journal.close()
        note(f"{journal.path} keeps {len(journal.done)} answers: the same command goes on there.")
        raise
    journal.delete()
    note(f"{output} has {len(journal.done)} rows.")


def asked_about(
    files: Sequence[Listed], journal: Journal, ask: Callable[[Iterable[str]], Iterator[FileAnswer]]
) -> Iterator[tuple[Listed, FileAnswer]]:
    """Yield the answers about files that have none yet, and show how many there are.

    Args:
        files: All files.
        journal: With the answers so far; who takes the answers adds them.
        ask: Returns the answers about paths, in their order.
    """
    todo = [file for file in files if file.path not in journal.done]
    with progress.status(f"0 of {len(todo)} files ...") as status:
        for number, (file, answer) in enumerate(
            zip(todo, ask(file.path for file in todo), strict=True), 1
        ):
            yield file, answer
            status.update(f"{number} of {len(todo)} files ...")


def outside(folder: Path, images: Sequence[str]) -> None:
    """See that a folder that is written is in none that is read.

    Raises:
        UserError: It is.
    """
    for image in images:
        if not is_remote(image) and folder.resolve().is_relative_to(Path(image).resolve()):
            raise UserError(f"{folder}: is inside of {image}; name a folder elsewhere")
