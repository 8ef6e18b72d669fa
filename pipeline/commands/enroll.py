"""The command that adds and removes a model's classes: `siamese enroll`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from base.printable import printable
from pipeline import log_noise
from pipeline.terminal.console import WRONG_USE, err, out, say, stop
from storage.file_systems import is_remote


def enroll(
    model: Annotated[
        Path,
        typer.Option(
            help="A model's base path, of which the newest version is taken, or a version."
        ),
    ],
    images: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a class's images, which is named by it; one for each class."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The class, if --images is not named by it.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(help="A class to remove, before any images are added.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Base path for the new version; by default the model's own.")
    ] = None,
    extend: Annotated[
        bool, typer.Option(help="Add the images to a class that there is already.")
    ] = False,
    engine: Annotated[
        str,
        typer.Option(
            help="The server that tries it: `tensorflow`, `docker`, `embedded` or `auto`."
        ),
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Add a class to a model by a handful of images, or remove one; nothing is trained.

    Writes the model's next version, which a server takes over as it does one that was pushed, and
    serves and asks it before, as a pipeline does.

    Example: [bold]siamese enroll --model runs/digits/serving --images new/scratch[/]
    """
    folders = images or []
    for path in (model, *folders, *([output] if output else [])):
        if is_remote(path):
            stop(
                f"{path}: is not on this machine, and a bucket cannot rename a folder, by which a "
                "version appears whole; copy the model and the images here, enroll, and copy the "
                "new version back, its saved_model.pb last (docs/storage.md)",
                WRONG_USE,
            )
    if name is not None and len(folders) != 1:
        stop("--name is for one --images", WRONG_USE)
    classes = {folder.absolute().name if name is None else name: folder for folder in folders}
    if len(classes) < len(folders):
        stop("two --images are of one class; enroll one, then the other by --extend", WRONG_USE)
    log_noise.quiet()
    from serving.engine import EngineError, choose
    from serving.enroll import enroll as write_next_version
    from serving.infra_check import InfraCheckError, infra_check

    try:
        chosen = choose(engine)
    except EngineError as e:
        stop(str(e), WRONG_USE)

    try:

        def check(candidate: Path, held: Sequence[bytes]) -> None:
            infra_check(candidate, held, chosen)

        with err.status("Embedding the images, and serving the new version to try it ..."):
            done = write_next_version(model, classes, remove or (), output, extend, check)
    except (EngineError, InfraCheckError) as e:
        stop(f"the new version cannot be served, and was not written: {e}")
    except (ValueError, OSError) as e:  # what was asked for cannot be done, in words
        stop(str(e), WRONG_USE)
    unusable = [{"file": printable(str(file)), "reason": why} for file, why in done.unusable]
    if as_json:
        paths = {"model": str(done.model), "version": str(done.version)}
        out.print_json(json.dumps({**done._asdict(), **paths, "unusable": unusable}))
        return
    for one in unusable:
        say("{file} {reason}".format(**one), err)
    changes = [f"'{one}' is removed" for one in done.removed]
    changes += [f"'{one}' gets {count} images" for one, count in done.added.items()]
    lines = [
        f"Model {done.model}: {', '.join(changes)}.",
        "Images of each class: " + ", ".join(f"{one} {n}" for one, n in done.classes.items()),
        f"Written to {done.version}",
    ]
    say("\n".join(lines))
