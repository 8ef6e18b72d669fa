"""`siamese serve`: serve a pipeline's pushed models."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from base.errors import UserError
from pipeline.commands.options import ConfigFile, Engine, Overrides, Quiet, Verbose
from pipeline.config import reading
from pipeline.terminal.console import note


def serve(
    context: typer.Context,
    config: ConfigFile,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=1, max=65535, help="Port for gRPC.")
    ] = 8500,
    rest_port: Annotated[
        int, typer.Option(metavar="PORT", min=1, max=65535, help="Port for REST.")
    ] = 8501,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Address to listen on. Default: 127.0.0.1, for this machine only; 0.0.0.0 answers "
            "other machines too.",
        ),
    ] = None,
    engine: Engine = "auto",
    overrides: Overrides = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Serve the models that a pipeline has pushed, until it is stopped.

    Serves the newest version until one is promoted (siamese promote), and from then on those with a
    label; on this machine only. TensorFlow Serving is used if its binary is on the PATH or Docker
    answers; else the embedded server, which is meant for development, tests and small loads. Other
    options are passed on to the server: they are those of tensorflow_model_server.

    Example: [bold]siamese serve configs/quickstart.yaml --enable_batching=true[/]
    """
    from pipeline.runs.pushed import model_to_serve
    from serving.engine import (
        PortInUse,
        Serving,
        check_ports,
        choose,
        command,
        listens_on,
        quiet_environment,
    )

    if port == rest_port:
        raise UserError(f"--port and --rest-port are both {port}; give two different ports")
    settings = reading.load(config, overrides or ())
    version, labels = model_to_serve(settings.serving_root, settings.root / "served", settings.name)
    base_path, name = version.parent, labels.name if labels else settings.name
    chosen = choose(engine)
    serving = Serving(name, base_path, port, rest_port, context.args, host, labels)
    address = listens_on(chosen, host)
    try:
        check_ports(chosen, serving)
    except PortInUse as e:
        option = "--port" if e.port == port else "--rest-port"
        raise UserError(
            f"{option} {e.port} is in use on {address}; give another port by {option}, or stop the "
            "process that listens there"
        ) from e
    note(
        f"Serving {name} from {base_path} with the engine '{chosen}': gRPC on "
        f"{address}:{port}, REST on {address}:{rest_port}."
    )
    if chosen == "tensorflow" and host is None:
        note("tensorflow_model_server listens on all interfaces; it has no option for another.")
    started = command(chosen, serving)
    environment = {} if verbose else quiet_environment(chosen)
    # Replaces this process, so that signals reach the server itself.
    sys.stdout.flush()
    os.execvpe(started[0], started, {**environment, **os.environ})
