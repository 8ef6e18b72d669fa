"""`siamese export`: the served model for devices, in a folder of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from base.errors import UserError
from pipeline import log_noise
from pipeline.commands.options import AsJson, ExportedModel, Overrides, Quiet, Verbose
from pipeline.gate.asked import settings_of
from pipeline.terminal.console import out, progress, say
from storage.file_systems import is_remote

if TYPE_CHECKING:
    from pipeline.edge_export import Exported


def export(
    model: ExportedModel,
    images: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="Labelled images that both are judged on: a sub-folder per class, or a CSV "
            "manifest. Images that the model was trained on are excluded.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where it is written.")
    ],
    kind: Annotated[
        Literal["litert", "keras", "onnx"],
        typer.Option("--format", metavar="FORMAT", help="Of the network: litert, onnx or keras."),
    ] = "litert",
    int8: Annotated[
        bool, typer.Option("--int8", help="Compute in 8-bit integers; for litert.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="The folder that the model was trained from; --int8 needs its support images.",
        ),
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The run's encoder.keras; --format keras needs it."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="YAML", help="The run's configuration, for its section `image`."),
    ] = None,
    allowed_loss: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Loss of class accuracy.")
    ] = 0.01,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a model for devices: network, support set, thresholds and an example script.

    The export is judged on the same labelled images as the model, through its own script, and is
    not written if its class accuracy is lower by more than --allowed-loss (exit code 3).

    Example: [bold]siamese export --model runs/parts/serving --images labelled/ -o edge/[/]
    """
    for path in (model, images, output, *([data] if data else [])):
        if is_remote(path):
            raise UserError(f"{path}: is not on this machine; copy it here (docs/storage.md)")
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise UserError(f"{output}: exists already; name a new or an empty folder")
    if not output.absolute().parent.is_dir():
        raise UserError(f"{output}: there is no folder {output.parent}; create it")
    settings = settings_of(images, None, config, overrides or [])
    log_noise.quiet()
    with progress.status("Loading TensorFlow ...") as status:
        log_noise.load_tensorflow()
        from pipeline.edge_export import Wanted
        from pipeline.edge_export import export as write

        wanted = Wanted(
            model, kind, int8, encoder, images, data, settings, allowed_loss, output.absolute()
        )
        done = write(wanted, status.update)
    (_print_json if as_json else _print)(done, output)


def _print_json(done: Exported, output: Path) -> None:
    accuracy = done.accuracy.model_dump(mode="json")
    out.print_json(json.dumps({**done._asdict(), "accuracy": accuracy, "folder": str(output)}))


def _print(done: Exported, output: Path) -> None:
    first, second, gap = done.accuracy.first, done.accuracy.second, done.accuracy.difference
    assert first
    assert second
    assert gap
    say(f"{done.agreeing} of {done.images} test images are given the same class.")
    say(
        f"Class accuracy {second.value:.1%}, the served model {first.value:.1%}: difference "
        f"{gap.value:+.1%} ({gap.low:+.1%} to {gap.high:+.1%})."
    )
    sizes = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in done.files.items())
    say(f"Written to {output}: {sizes}.")
