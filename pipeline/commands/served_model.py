"""The server that `siamese predict` and `siamese classify` ask: options, and a client of it."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar, get_type_hints

import typer

from base.errors import UserError
from base.printable import printable
from pipeline import log_noise
from pipeline.commands.options import Overrides
from pipeline.config import reading
from pipeline.config.run_config import RunConfig
from pipeline.terminal.console import note, progress

if TYPE_CHECKING:
    from serving.client import SiameseClient

_Drawn = TypeVar("_Drawn")

HeldOut = Annotated[
    int, typer.Option(metavar="N", min=0, help="Use N of the test split of --config's run instead.")
]


class Connection(NamedTuple):
    """The options that say which server and model are asked."""

    config: Annotated[
        Path | None,
        typer.Option(
            metavar="CONFIG",
            help="Use the model that this configuration's run pushed; without --server it is "
            "served for this command only.",
        ),
    ] = None
    server: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Ask this server: TensorFlow Serving or `siamese serve`."
        ),
    ] = None
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the served model; that of --config by default."),
    ] = None
    version: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Ask this version of the model.")
    ] = None
    label: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Ask the version with this label.")
    ] = None
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0.001, help="Longest time to wait for an answer of --server."
        ),
    ] = 30.0
    tls: Annotated[bool, typer.Option("--tls", help="Encrypt the connection.")] = False
    tls_ca: Annotated[
        Path | None,
        typer.Option(
            metavar="PEM", help="Trust servers with a certificate of this authority; implies --tls."
        ),
    ] = None
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="PEM", help="The client's certificate; implies --tls.")
    ] = None
    tls_key: Annotated[
        Path | None, typer.Option(metavar="PEM", help="The certificate's private key.")
    ] = None
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Send the token in this file (authorization: Bearer)."),
    ] = None
    overrides: Overrides = None


def with_connection(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that has the options of `Connection` in place of its `connection`."""
    hints = get_type_hints(Connection, include_extras=True)
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        if parameter.name != "connection":
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        for name, default in Connection._field_defaults.items():
            option = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
            parameters.append(option.replace(annotation=hints[name]))

    @functools.wraps(command)
    def wrapper(**values: Any) -> None:
        options = {name: values.pop(name) for name in Connection._fields}
        command(connection=Connection(**options), **values)

    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {one.name: one.annotation for one in parameters}
    return wrapper


@contextlib.contextmanager
def connected(
    options: Connection, meanwhile: Callable[[], object] | None = None
) -> Iterator[SiameseClient]:
    """Connect to the named server, or to one that runs until the context ends.

    Args:
        options: Which server.
        meanwhile: Called once before, while the model is loaded if a server is started for it.

    Yields:
        The client.

    Raises:
        UserError: The options contradict each other, or a model cannot be served.
    """
    settings, name = _settings_and_name(options)
    log_noise.quiet()
    with contextlib.ExitStack() as stack:
        address, timeout = options.server, options.timeout
        if address is None:
            assert settings is not None
            address = stack.enter_context(_served(settings, options.config, meanwhile))
            from serving.temporary_server import READY_SECONDS

            timeout = max(timeout, READY_SECONDS)  # the first answer takes long: see `_served`
        elif meanwhile is not None:
            meanwhile()
        with progress.status("Connecting ..."):
            from serving.client import SiameseClient, Tls

            tls = None
            if options.tls or options.tls_ca or options.tls_cert or options.tls_key:
                tls = Tls(options.tls_ca, options.tls_cert, options.tls_key)
            client = SiameseClient(
                address,
                name,
                version=options.version,
                version_label=options.label,
                timeout=timeout,
                tls=tls,
                metadata=_token(options.token_file),
            )
        yield stack.enter_context(client)


@contextlib.contextmanager
def connected_with_held_out(
    options: Connection,
    draw: Callable[[Sequence[tuple[Path, str]], int], Sequence[_Drawn]],
    count: int,
) -> Iterator[tuple[SiameseClient, list[_Drawn]]]:
    """Connect as `connected` does, and draw test images that the model was not trained on.

    Args:
        options: Which server.
        draw: Chooses from files and their classes (`pipeline.runs.sampling`).
        count: How many to draw, at most; 0: none, and no test split is read.

    Yields:
        The client, and what was drawn.

    Raises:
        UserError: The options contradict each other, the model cannot be served, or they and the
            configuration do not tell which images these are.
    """
    drawn: list[_Drawn] = []

    def meanwhile() -> None:
        drawn.extend(draw(_held_out_files(options), count))

    with connected(options, meanwhile if count else None) as client:
        yield client, drawn


def _held_out_files(options: Connection) -> list[tuple[Path, str]]:
    """Return the files and classes of test images that the served model was not trained on.

    Raises:
        UserError: The options contradict each other, or they and the configuration do not tell
            which images these are.
    """
    settings, _ = _settings_and_name(options)
    if settings is None:
        raise UserError("--held-out needs --config, whose test split it uses")
    if options.label:
        raise UserError(
            "--held-out cannot tell which version has a label; give --version in place of --label"
        )
    log_noise.quiet()
    log_noise.load_tensorflow(keras=False)  # which reads the test split
    from pipeline.runs.held_out import held_out_images

    return held_out_images(settings, options.version)


def _settings_and_name(options: Connection) -> tuple[RunConfig | None, str]:
    """Return the configuration if one is named, and the served model's name."""
    if options.overrides and not options.config:
        raise UserError("--set needs a configuration, which it changes; give one by --config")
    settings = reading.load(options.config, options.overrides or ()) if options.config else None
    return settings, _model_name(options, settings)


def _model_name(options: Connection, settings: RunConfig | None) -> str:
    """Return the name of the served model; raise if the options do not fit together."""
    if not settings and not options.server:
        raise UserError("name a server by --server, or the run that pushed the model by --config")
    name = options.name or (settings.name if settings else None)
    if not name:
        raise UserError("--server needs the name of the served model: give --name or --config")
    of_a_server = {
        "--name": options.name,
        "--version": options.version is not None,
        "--label": options.label,
        "--token-file": options.token_file,
        "--tls": options.tls or options.tls_ca or options.tls_cert,
    }
    given = [option for option, value in of_a_server.items() if value]
    if given and not options.server:
        raise UserError(f"{', '.join(given)}: only with --server; name a server too")
    return name


def _token(file: Path | None) -> list[tuple[str, str]]:
    """Return the metadata of each call."""
    if file is None:
        return []
    try:
        return [("authorization", f"Bearer {file.read_text('ascii').strip()}")]
    except (OSError, UnicodeError) as e:
        raise UserError(f"{file}: cannot be read ({e}); name a file with a token") from e


@contextlib.contextmanager
def _served(
    settings: RunConfig, config: Path | None, meanwhile: Callable[[], object] | None
) -> Iterator[str]:
    """Serve the newest model until the context ends; yield the server's address."""
    from pipeline.runs.pushed import newest_model
    from serving.engine import choose

    newest = newest_model(settings.serving_root, settings.root / "served")
    engine = choose("auto")
    note(
        f"Starting a server of {newest} (engine '{engine}'), which may take a minute. To get "
        f"answers at once, keep one running: siamese serve {config}, then --server localhost:8500."
    )
    with contextlib.ExitStack() as stack:
        with progress.status("Loading the model ..."):
            from serving.temporary_server import temporary_server

            # One signature is asked: that prepares it, sooner than warm-up does all of them.
            server = temporary_server(
                engine,
                settings.name,
                newest.parent,
                options=["--enable_model_warmup=false"],
                meanwhile=meanwhile,
            )
            address = stack.enter_context(server)
        yield address


def pushed_model(options: Connection) -> tuple[RunConfig, str]:
    """Return the configuration, and a model of its base path: by default the newest one.

    Raises:
        UserError: An option asks for a server, or there is no such model.
    """
    from pipeline.runs.pushed import pushed_version

    if options.server:
        raise UserError("--server: no server is asked here; leave the option out")
    assert options.config is not None
    settings = reading.load(options.config, options.overrides or ())
    if options.version is not None and options.label:
        raise UserError("give --version or --label, not both")
    _model_name(options._replace(version=None, label=None), settings)
    return settings, pushed_version(settings.serving_root, options.version, options.label)


def short_path(path: Path) -> str:
    """Return a file's name and its folder's."""
    return printable("/".join(path.parts[-2:]))
