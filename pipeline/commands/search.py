"""`siamese search`: which images are most like a given one?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from base.errors import UserError
from base.printable import printable
from pipeline.commands.bulk import BatchSize, InFlight
from pipeline.commands.options import AsJson, Quiet, Verbose
from pipeline.commands.served_model import Connection, connected, with_connection
from pipeline.terminal.console import note, out, progress, say
from serving.bulk.listing import list_files

if TYPE_CHECKING:
    import numpy as np

    from serving.bulk.tables import Embeddings
    from serving.client import SiameseClient


@with_connection
def search(
    place: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|TABLE", help="Where to search: images, or a table of `siamese embed`."
        ),
    ],
    like: Annotated[
        list[str], typer.Option(metavar="IMAGE", help="Find images like this one; repeatable.")
    ],
    count: Annotated[
        int, typer.Option("--count", "-n", metavar="N", min=1, help="Images to find.")
    ] = 10,
    batch_size: BatchSize = 16,
    in_flight: InFlight = 4,
    connection: Connection = Connection(),  # noqa: B008 -- becomes options
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find the images that are most like one, by the cosine of their embeddings.

    Each image of a folder is embedded first; to search it more than once, write its table by
    `siamese embed`. The search compares with all of them, which is fast for some 100,000 images.

    Example: [bold]siamese search embeddings.parquet --like a.jpg --config my.yaml[/]
    """
    from serving.bulk.nearest import nearest
    from serving.bulk.tables import read_embeddings

    is_table = place.endswith((".parquet", ".npz"))
    table = read_embeddings(Path(place)) if is_table else None
    with connected(connection) as client:
        queries, version = _queries(client, like)
        if table is None:
            table = _embedded(client, place, batch_size, in_flight)
    if not table.images:
        raise UserError(f"{place}: has no image that can be used")
    if version and table.version and version != table.version:
        raise UserError(
            f"{place}: has embeddings of the model's version {table.version}, the server answered "
            f"with {version}; embed again, or ask --version {table.version}"
        )
    if queries.shape[1] != table.vectors.shape[1]:
        raise UserError(f"{place}: has embeddings of another model; embed again")
    found = nearest(queries, table.vectors, count)
    for query, indices, similarities in zip(like, *found, strict=True):
        rows = [
            {"image": table.images[index], "similarity": round(float(similarity), 6)}
            for index, similarity in zip(indices, similarities, strict=True)
        ]
        if as_json:
            say(json.dumps({"like": printable(query), "nearest": rows}))
            continue
        if len(like) > 1:
            say(f"{printable(query)}:")
        for row in rows:
            say(f"{row['similarity']:.3f}  {row['image']}", out)


def _queries(client: SiameseClient, like: list[str]) -> tuple[np.ndarray, int | None]:
    """Return the embeddings [n, d] of the images to find others like, and the model's version."""
    import numpy as np

    answers = list(client.embed_files(like))
    for answer in answers:
        if answer.answer is None:
            raise UserError(answer.problem)
    vectors = [answer.answer.vector for answer in answers if answer.answer]
    return np.stack(vectors), answers[0].version


def _embedded(client: SiameseClient, place: str, batch_size: int, in_flight: int) -> Embeddings:
    import numpy as np

    from serving.bulk.tables import Embeddings

    files = [file.path for file in list_files([place])]
    images, vectors, unusable, version = [], [], 0, None
    with progress.status(f"Embedding {len(files)} files ..."):
        for answer in client.embed_files(files, batch_size, in_flight):
            if answer.answer is None:
                unusable += 1
                continue
            images.append(printable(answer.file))
            vectors.append(answer.answer.vector)
            version = answer.version
    if unusable:
        note(f"{unusable} files could not be used.")
    return Embeddings(images, np.array(vectors, np.float32), version)
