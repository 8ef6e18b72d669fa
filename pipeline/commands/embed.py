"""`siamese embed`: the model's embeddings of many images, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.bulk import (
    BatchSize,
    InFlight,
    asked_about,
    journal_for,
    journal_path,
    listed_without,
)
from pipeline.commands.options import Quiet, Verbose
from pipeline.commands.served_model import Connection, connected, with_connection


@with_connection
def embed(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE", help="Image files, or folders of them; also on s3:// and gs://."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The table, .parquet or .npz."),
    ],
    batch_size: BatchSize = 16,
    in_flight: InFlight = 4,
    connection: Connection = Connection(),  # noqa: B008 -- becomes options
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write the embeddings of images, vectors that are near each other for similar images.

    After a kill, the same command goes on where it stopped. `siamese search` finds images in the
    table. Without --server this takes longer, since a server is started for it.

    Example: [bold]siamese embed photos/ -o embeddings.parquet --config my.yaml[/]
    """
    from serving.bulk.tables import check_output, embedding_row, write_embeddings

    check_output(output, (".parquet", ".npz"))
    files = listed_without(images, output, journal_path(output))
    with (
        journal_for(output, "embed", connection) as journal,
        connected(connection) as client,
    ):
        for file, answer in asked_about(
            files, journal, lambda paths: client.embed_files(paths, batch_size, in_flight)
        ):
            journal.add(embedding_row(file.path, answer))
        write_embeddings(journal.rows, output)
