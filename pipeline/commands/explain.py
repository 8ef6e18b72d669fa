"""`siamese explain`: which places of an image speak for its class, or for another image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from base.errors import UserError
from base.printable import printable
from pipeline.commands.options import AsJson, Quiet, Verbose
from pipeline.commands.served_model import Connection, connected, with_connection
from pipeline.terminal.console import out, say

if TYPE_CHECKING:
    from serving.explanation import Explanation

FORMATS = (".png", ".jpg", ".jpeg", ".webp")


@with_connection
def explain(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image file.")],
    other: Annotated[
        Path | None, typer.Argument(metavar="[IMAGE]", help="An image to compare it with.")
    ] = None,
    explained: Annotated[
        str,
        typer.Option("--class", metavar="CLASS", help="Explain this class, not the predicted one."),
    ] = "",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the picture is written.")
    ] = Path("map.png"),
    connection: Connection = Connection(),  # noqa: B008 -- becomes options
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Draw which places of an image speak for its class, or for its being the same as another one.

    Orange places speak for it, blue ones against it: of two images, blue or colourless is where
    they differ. --json prints the maps. Without --server this takes longer, since a server
    is started for it.

    Example: [bold]siamese explain a.jpg b.jpg -o map.png --config my.yaml[/]
    """
    if other is not None and explained:
        raise UserError("name another image or a class by --class, not both")
    if output.suffix.lower() not in FORMATS:
        raise UserError(f"{output}: the picture is a file {', '.join(FORMATS)}; name one of these")
    with connected(connection) as client:
        found = client.explain(image, other, explained)
        if other is not None and found.other_map is None:  # by occlusion, one side at a time
            back = client.explain(other, image)
            found = found._replace(other_map=back.map, other_picture=back.picture)
    _draw(found, output)
    (_print_json if as_json else _print)(found, output)


def _draw(found: Explanation, output: Path) -> None:
    from images.heat_map import side_by_side

    pairs = [(found.picture, found.map)]
    if found.other_map is not None and found.other_picture is not None:
        pairs.append((found.other_picture, found.other_map))
    try:
        side_by_side(pairs).save(output)
    except OSError as e:
        raise UserError(f"{output}: cannot be written ({e}); name another file") from e


def _print_json(found: Explanation, output: Path) -> None:
    other = {} if found.other_map is None else {"other_map": found.other_map.tolist()}
    answer = {
        "label": printable(found.label),
        "score": found.score,
        "exact": found.exact,
        "map": found.map.tolist(),
        **other,
        "picture": printable(str(output)),
    }
    out.print_json(json.dumps(answer))


def _print(found: Explanation, output: Path) -> None:
    if found.label:
        say(f"Class '{printable(found.label)}', score {found.score:.3f}.")
    elif found.exact:
        say(f"Cosine of both embeddings: {found.score:.3f}.")
    else:
        say(f"Similarity: {found.score:.3f}.")
    if not found.exact:
        say("The model's score is no sum over places: found by covering one place after another.")
    say(f"Written to {printable(str(output))}: orange places speak for it, blue ones against it.")
