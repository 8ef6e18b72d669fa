"""`siamese ui`: the browser interface."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import threading
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from base.errors import UserError
from pipeline import log_noise
from pipeline.commands.options import ConfigFile, Overrides, Quiet, Verbose
from pipeline.config import reading
from pipeline.terminal.console import note, out

if TYPE_CHECKING:
    from pipeline.config.run_config import RunConfig

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_SHORTEST_TOKEN = 16


def ui(
    config: ConfigFile,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Ask this server: TensorFlow Serving or `siamese serve`. Default: one that is "
            "started on the newest pushed model.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the served model; that of CONFIG by default."),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="Ask the version with this label, such as stable."),
    ] = None,
    base_path: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Folder of the versions as servers see it, for the labels that the page Models "
            "moves; default: as here.",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="Address to listen on; another one than loopback needs a token."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Port; 0: a free one.")
    ] = 8700,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            envvar="SIAMESE_UI_TOKEN",
            help="What visitors must bring, at least 16 characters; `new` makes one. Better in the "
            "environment, SIAMESE_UI_TOKEN: others see a process's options.",
        ),
    ] = None,
    overrides: Overrides = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Open a browser interface: try the model, review images, change classes, watch runs.

    Needs a browser on this machine, or a token for others. Nothing is loaded from the network.

    Example: [bold]siamese ui configs/quickstart.yaml --server localhost:8500[/]
    """
    settings = reading.load(config, overrides or ())
    token = _checked(token, host)
    if label and not server:
        raise UserError("--label: only with --server; name a server too")
    from pipeline.ui.app import create_app
    from pipeline.ui.served import Served
    from pipeline.ui.server import listen, run
    from pipeline.ui.workplace import Workplace

    log_noise.quiet()
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(listen(host, port))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="siamese-ui-")))
        served = Served(
            name or settings.name, server, partial(_serving, settings), version_label=label
        )
        place = Workplace(config, settings, served, folder, overrides or (), base_path or "")
        stack.callback(place.close)
        app = create_app(place, hosts=(host,), token=token)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listening.getsockname()[1]}/"
        note(f"The interface of {settings.name}; Ctrl-C ends it.")
        out.print(address + (f"?token={token}" if token else ""), highlight=False, soft_wrap=True)
        run(app, listening)


def _checked(token: str | None, host: str) -> str | None:
    """Return the token that visitors must bring."""
    if token == "new":
        return secrets.token_urlsafe(24)
    if token is None and host not in _LOOPBACK:
        raise UserError(
            f"--host {host}: other machines could use the interface; give --token new, or another "
            "token, too"
        )
    if token is not None and (len(token) < _SHORTEST_TOKEN or not token.isascii()):
        raise UserError(
            f"--token: needs {_SHORTEST_TOKEN} ASCII characters at least; `--token new` makes one"
        )
    return token


def _serving(settings: RunConfig, stopped: threading.Event) -> AbstractContextManager[str]:
    """Return a context with the address of a server of the newest pushed model."""
    from pipeline.runs.pushed import newest_model
    from serving.engine import choose
    from serving.temporary_server import temporary_server

    newest = newest_model(settings.serving_root, settings.root / "served")
    return temporary_server(choose("auto"), settings.name, newest.parent, stopped=stopped)
