"""`siamese enroll`: change the classes of an exported model, or single support images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from base.errors import UserError
from base.printable import printable
from pipeline import log_noise
from pipeline.commands.options import (
    AsJson,
    Engine,
    ExportedModel,
    NewVersionFolder,
    Overrides,
    Quiet,
    Verbose,
)
from pipeline.commands.served_check import check_of, check_test_images
from pipeline.gate.asked import settings_of
from pipeline.runs.pushed import waits_for_promotion
from pipeline.terminal.console import err, out, progress, say
from storage.file_systems import is_remote

if TYPE_CHECKING:
    from serving.enroll import Enrolled


def enroll(
    model: ExportedModel,
    images: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="Images of a class, which gets the folder's name. Can be repeated.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="Name of the class, if not that of the folder."),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS", help="Remove a class, before images are added. Can be repeated."
        ),
    ] = None,
    remove_image: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Remove one support image, named as in answers. Can be repeated."
        ),
    ] = None,
    move_image: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=CLASS", help="Move a support image to another class. Can be repeated."
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Labelled images, a sub-folder per class or a CSV manifest: write the new version "
            "only if the gate blesses it on these. Images that it was trained on are excluded.",
        ),
    ] = None,
    thresholds: Annotated[
        Path | None,
        typer.Option(metavar="YAML", help="What it must reach on --test; default: as the gate's."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="CONFIG", help="Judge on --test as this configuration does."),
    ] = None,
    overrides: Overrides = None,
    output: NewVersionFolder = None,
    extend: Annotated[
        bool, typer.Option("--extend", help="Add the images to classes that exist already.")
    ] = False,
    engine: Engine = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Add classes to an exported model by a few images each, or remove classes; no training.

    Single support images, by the names that answers give them, can be removed or moved to another
    class. The data set stays as it is: what is wrong there is learned again by the next run.

    Writes the model's next version, which a server picks up as it does one that was pushed. Before
    that, the new version is served and its answers are checked, as in a pipeline; with --test the
    gate judges it too, as `siamese promote` requires it (docs/versions.md).

    Example: [bold]siamese enroll --model runs/digits/serving --images new/scratch[/]
    """
    folders = images or []
    _refuse_remote(model, *folders, *([output] if output else []))
    if test:
        check_test_images(test)
    if (thresholds or config or overrides) and not test:
        option = "--thresholds" if thresholds else "--config" if config else "--set"
        raise UserError(f"{option} needs --test, the images to judge the new version on")
    settings = settings_of(test, thresholds, config, overrides or []) if test else None
    classes = _by_class(folders, name)
    moves = dict(map(_move, move_image or ()))
    log_noise.quiet()
    with progress.status("Loading TensorFlow ...") as status:
        log_noise.load_tensorflow()
        from serving.engine import choose
        from serving.enroll import Changes
        from serving.enroll import enroll as write_next_version

        check = check_of(choose(engine), test, settings, status)
        status.update("Embedding the images, and serving the new version to check it ...")
        changes = Changes(frozenset(remove_image or ()), moves)
        done = write_next_version(
            model, classes, remove or (), output, extend, check, changes=changes
        )
    if as_json:
        out.print_json(json.dumps(enrolled_as_json(done)))
    else:
        show_enrolled(done)


def _refuse_remote(*paths: Path) -> None:
    for path in paths:
        if is_remote(path):
            raise UserError(
                f"{path}: is not on this machine, and a bucket cannot rename a folder, by which a "
                "version appears whole; copy the model and the images here, enroll, and copy the "
                "new version back, its saved_model.pb last (docs/storage.md)"
            )


def _by_class(folders: Sequence[Path], name: str | None) -> dict[str, Path]:
    """Return the folders by the names of their classes."""
    if name is not None and len(folders) != 1:
        raise UserError("--name needs exactly one --images")
    classes = {folder.absolute().name if name is None else name: folder for folder in folders}
    if len(classes) < len(folders):
        raise UserError(
            "two --images are of the same class; enroll one, then the other with --extend"
        )
    return classes


def _move(option: str) -> tuple[str, str]:
    """Return the image and the class of `--move-image`; file names may hold `=`, too."""
    image, equals, label = option.rpartition("=")
    if not (image and equals and label):
        raise UserError(f"--move-image {option}: write it as NAME=CLASS")
    return image, label


def _unusable(done: Enrolled) -> list[dict[str, str]]:
    return [{"file": printable(str(file)), "reason": why} for file, why in done.unusable]


def enrolled_as_json(done: Enrolled) -> dict[str, Any]:
    """Return what became of an enrolment as values of JSON."""
    paths = {"model": str(done.model), "version": str(done.version)}
    return {**done._asdict(), **paths, "unusable": _unusable(done)}


def show_enrolled(done: Enrolled) -> None:
    """Print what became of an enrolment."""
    for one in _unusable(done):
        say("{file} {reason}".format(**one), err)
    changes = [f"removed '{one}'" for one in done.removed]
    changes += [f"added {count} images to '{one}'" for one, count in done.added.items()]
    say(f"Model {done.model}: {', '.join(changes)}.")
    if done.changed:
        say(f"{done.changed} support images were removed or moved.")
    say("Images per class: " + ", ".join(f"{one} {n}" for one, n in done.classes.items()))
    say(
        f"Each support image classified by the others: {_share(done.before)} before, "
        f"{_share(done.after)} now."
    )
    say(f"Written to {done.version}")
    if hint := waits_for_promotion(done.version):
        say(hint)


def _share(right: Mapping[str, tuple[int, int]]) -> str:
    """Return how many support images are classified correctly: `38 of 40`."""
    return f"{sum(one for one, _ in right.values())} of {sum(all_ for _, all_ in right.values())}"
