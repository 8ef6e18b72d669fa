"""The commands that ask a served model: `siamese predict` and `siamese classify`."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from pipeline import log_noise
from pipeline.config.run_config import RunConfig
from pipeline.terminal.console import FAILED, WRONG_USE, Overrides, err, load, out, say, stop

if TYPE_CHECKING:
    from serving.client import SiameseClient

Config = Annotated[
    Path | None,
    typer.Option(
        metavar="CONFIG",
        help="The run whose model is asked; without --server it is served for as long as this "
        "takes.",
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT", help="Ask this server, TensorFlow Serving or `siamese serve`."
    ),
]
Name = Annotated[
    str | None, typer.Option(help="The name the model is served by; that of --config by default.")
]
Version = Annotated[
    int | None, typer.Option("--version", min=0, help="Ask this version of the server's.")
]
Label = Annotated[str | None, typer.Option(help="Ask the version of this label.")]
Timeout = Annotated[float, typer.Option(min=0.001, help="Seconds that an answer may take.")]
Encrypted = Annotated[bool, typer.Option("--tls", help="Encrypt the connection.")]
Authority = Annotated[
    Path | None,
    typer.Option(metavar="PEM", help="Trust servers that this authority signed; implies --tls."),
]
Certificate = Annotated[
    Path | None, typer.Option(metavar="PEM", help="The client's certificate; implies --tls.")
]
Key = Annotated[Path | None, typer.Option(metavar="PEM", help="The certificate's private key.")]
HeldOut = Annotated[int, typer.Option(min=0, help="Take so many of --config's test split instead.")]


class Connection(NamedTuple):
    """What the options say of the server."""

    config: Path | None
    server: str | None
    name: str | None
    version: int | None
    label: str | None
    timeout: float
    tls: bool
    tls_ca: Path | None
    tls_cert: Path | None
    tls_key: Path | None
    overrides: list[str] | None


def predict(
    left: Annotated[Path | None, typer.Argument(help="An image file.")] = None,
    right: Annotated[Path | None, typer.Argument(help="The one to compare it with.")] = None,
    config: Config = None,
    server: Server = None,
    name: Name = None,
    held_out: HeldOut = 0,
    version: Version = None,
    label: Label = None,
    timeout: Timeout = 30.0,
    tls: Encrypted = False,
    tls_ca: Authority = None,
    tls_cert: Certificate = None,
    tls_key: Key = None,
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Say whether two images are of the same class, and how similar they are (0 to 1).

    Example: [bold]siamese predict a.jpg b.jpg --server localhost:8500 --name parts[/]
    """
    if bool(held_out) == bool(left or right) or (left is None) != (right is None):
        stop("name two images, or a number of pairs by --held-out", WRONG_USE)
    asked = Connection(
        config, server, name, version, label, timeout, tls, tls_ca, tls_cert, tls_key, overrides
    )
    with _asking(asked) as (client, settings):
        from pipeline.commands.answers import show_pairs, show_pairs_as_json
        from pipeline.runs.held_out import draw_pairs, test_images

        pairs: list[tuple[Path, Path, bool | None]]
        if held_out:
            pairs = [*draw_pairs(test_images(_for_held_out(settings)), held_out)]
        else:
            assert left is not None
            assert right is not None
            pairs = [(left, right, None)]
        answers = client.compare([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    for (one, other, _), answer in zip(pairs, answers, strict=True):
        if not answer.valid:
            from serving.client import REFUSED_BY_THE_MODEL

            stop(f"{one} or {other}: {REFUSED_BY_THE_MODEL}", WRONG_USE)
    (show_pairs_as_json if as_json else show_pairs)(out, pairs, answers)


def classify(
    images: Annotated[
        list[Path] | None, typer.Argument(help="Image files, or folders of them.")
    ] = None,
    config: Config = None,
    server: Server = None,
    name: Name = None,
    held_out: HeldOut = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Images in a request.")] = 16,
    in_flight: Annotated[int, typer.Option(min=1, help="Requests at a time.")] = 4,
    version: Version = None,
    label: Label = None,
    timeout: Timeout = 30.0,
    tls: Encrypted = False,
    tls_ca: Authority = None,
    tls_cert: Certificate = None,
    tls_key: Key = None,
    overrides: Overrides = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print an object of JSON a line, for machines.")
    ] = False,
) -> None:
    """Say which class each image is of, or that it is of none the model knows.

    Files that cannot be used are told of in their place, and make the exit code 1.

    Example: [bold]siamese classify photos/ --config configs/quickstart.yaml[/]
    """
    if bool(held_out) == bool(images):
        stop("name images or folders, or a number of test images by --held-out", WRONG_USE)
    asked = Connection(
        config, server, name, version, label, timeout, tls, tls_ca, tls_cert, tls_key, overrides
    )
    with _asking(asked) as (client, settings):
        from pipeline.commands.answers import Tally, answer_as_json, show_answer
        from pipeline.commands.image_files import files_below
        from pipeline.runs.held_out import draw_images, test_images

        truths: dict[Path, str] = {}
        if held_out:
            truths = dict(draw_images(test_images(_for_held_out(settings)), held_out))
        files = list(truths) or files_below(images or [])
        tally, began = Tally(), time.monotonic()
        for answer in client.classify_files(files, batch_size, in_flight):
            truth = truths.get(answer.file)
            tally.count(answer, truth)
            if as_json:
                print(json.dumps(answer_as_json(answer, truth)), flush=True)
            else:
                show_answer(out, answer, truth)
    if not as_json:
        say(tally.in_words(time.monotonic() - began))
    if tally.unusable:
        raise typer.Exit(FAILED)


@contextlib.contextmanager
def _asking(asked: Connection) -> Iterator[tuple[SiameseClient, RunConfig | None]]:
    """A client of the server that was named, or of one that runs until the context ends.

    What goes wrong with either, or with an image, ends the command in words.
    """
    settings = load(asked.config, asked.overrides or ()) if asked.config else None
    if not settings and not asked.server:
        stop("name a server by --server, or the run that pushed the model by --config", WRONG_USE)
    name = asked.name or (settings.name if settings else None)
    if not name:
        stop("--server needs --name, or --config: the name the model is served by", WRONG_USE)
    chosen = asked.version is not None or asked.label or asked.tls or asked.tls_ca or asked.tls_cert
    if not asked.server and (chosen or asked.name):
        stop("--name, --version, --label and --tls belong to --server; name that too", WRONG_USE)
    log_noise.quiet()
    with contextlib.ExitStack() as stack:
        status = stack.enter_context(err.status("Loading ..."))
        from serving.client import ImageError, SiameseClient
        from serving.connection import ServingError, Tls
        from serving.engine import EngineError

        try:
            address = asked.server
            if address is None:
                assert settings is not None
                address = stack.enter_context(_served(settings))
            encrypted = asked.tls or asked.tls_ca or asked.tls_cert or asked.tls_key
            client = stack.enter_context(
                SiameseClient(
                    address,
                    name,
                    version=asked.version,
                    version_label=asked.label,
                    timeout=asked.timeout,
                    tls=Tls(asked.tls_ca, asked.tls_cert, asked.tls_key) if encrypted else None,
                )
            )
            status.stop()
            yield client, settings
        except (EngineError, ServingError) as e:
            stop(str(e))
        except (ImageError, ValueError, OSError) as e:
            stop(str(e), WRONG_USE)


@contextlib.contextmanager
def _served(settings: RunConfig) -> Iterator[str]:
    from pipeline.runs.pushed import newest_model
    from serving.engine import choose
    from serving.temporary_server import temporary_server

    newest = newest_model(settings.serving_root, settings.root / "served")
    engine = choose("auto")
    say(f"Serving {newest} by the engine '{engine}' ...", err)
    with temporary_server(engine, settings.name, newest.parent) as address:
        yield address


def _for_held_out(settings: RunConfig | None) -> str:
    """Where the last run's images are."""
    from pipeline.runs.history import read_runs

    if settings is None:
        raise ValueError("--held-out needs --config, to know the test split")
    for one in read_runs(settings.metadata, settings.name):
        if images := one.output("ImageExampleGen", "examples"):
            return images.uri
    raise ValueError(f"{settings.name} has no run yet; start one: siamese run")
