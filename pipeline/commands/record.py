"""`siamese record`: a proxy in front of a server that records what it is asked and answers."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from base.errors import UserError
from pipeline.commands.options import Overrides
from pipeline.config import reading
from pipeline.terminal.console import note
from traffic.settings import Keeping


def record(
    upstream: Annotated[
        str,
        typer.Option(metavar="HOST:PORT", help="gRPC of TensorFlow Serving or `siamese serve`."),
    ],
    config: Annotated[
        Path | None,
        typer.Argument(
            metavar="CONFIG",
            help="YAML file whose section `traffic` says where the store is and what is kept.",
        ),
    ] = None,
    rest: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Its REST, to be passed on too.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Traffic store; made if it is missing.")
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on; 0.0.0.0: of all networks.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Port for gRPC.")
    ] = 8600,
    rest_port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Port for REST.")
    ] = 8601,
    metrics_port: Annotated[
        int,
        typer.Option(metavar="PORT", min=0, max=65535, help="Port for /metrics and /health."),
    ] = 8602,
    no_images: Annotated[
        bool, typer.Option("--no-images", help="Record answers only, no images.")
    ] = False,
    low_margin: Annotated[
        float | None,
        typer.Option(metavar="SCORE", help="Keep images whose best two scores differ by less."),
    ] = None,
    random: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Share of images to keep at random.")
    ] = None,
    per_hour: Annotated[
        int | None, typer.Option(metavar="N", help="Maximum images an hour for each reason.")
    ] = None,
    per_day: Annotated[
        int | None, typer.Option(metavar="N", help="Maximum images a day for each reason.")
    ] = None,
    max_megabytes: Annotated[
        int | None, typer.Option(metavar="MB", help="Maximum size of all images together.")
    ] = None,
    embeddings: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Share of images whose embedding is asked for."),
    ] = None,
    shadow: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL|VERSION",
            help="Ask this version too, such as canary, and compare; clients do not see it.",
        ),
    ] = None,
    shadow_share: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Share of images for --shadow.")
    ] = 1.0,
    canary_share: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=0,
            max=1,
            help="Share of the calls without a version that the label canary answers; stable "
            "answers the others.",
        ),
    ] = 0.0,
    tls: Annotated[bool, typer.Option("--tls", help="Encrypt the connection upstream.")] = False,
    tls_ca: Annotated[
        Path | None,
        typer.Option(metavar="PEM", help="Authority of its certificate; implies --tls."),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="PEM", help="The recorder's certificate; implies --tls.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="PEM", help="The certificate's private key.")
    ] = None,
    ssl_config_file: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="Key and certificates for its own gRPC port, as an SSLConfig."
        ),
    ] = "",
    overrides: Overrides = None,
) -> None:
    """Pass calls on to a server, and record answers and chosen images.

    Listens beside the server and answers as it does. Answers go to a local traffic store, with
    images that are unknown, near a decision, judged differently by two versions, or drawn at
    random. Calls never wait for the store. See docs/recorder.md.

    Example: [bold]siamese record my.yaml --upstream localhost:8500 --rest localhost:8501[/]
    """
    if overrides and not config:
        raise UserError("--set needs a configuration, which it changes; name one")
    settings = reading.load(config, overrides or ()) if config else None
    place = store or (settings.traffic_store if settings else None)
    if place is None:
        raise UserError("name the traffic store by --store, or a configuration that has one")
    from serving.channel import Tls
    from serving.recorder.follow_ups import Shares, Upstream
    from serving.recorder.options import Options, check_address
    from serving.recorder.server import record as run

    rules = _rules(
        settings.traffic if settings else Keeping(),
        images=False if no_images else None,
        low_margin=low_margin,
        random=random,
        per_hour=per_hour,
        per_day=per_day,
        max_megabytes=max_megabytes,
        embeddings=embeddings,
    )
    encrypted = Tls(tls_ca, tls_cert, tls_key) if tls or tls_ca or tls_cert or tls_key else None
    options = Options(
        upstream=Upstream(
            check_address("--upstream", upstream),
            check_address("--rest", rest) if rest else None,
            encrypted,
        ),
        store=place,
        rules=rules,
        shares=Shares(shadow, shadow_share, rules.embeddings),
        canary_share=canary_share,
        host=host,
        port=port,
        rest_port=rest_port,
        metrics_port=metrics_port,
        ssl_config_file=ssl_config_file,
    )
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    run(options, lambda where: note(f"Recording {upstream} to {options.store}: {where}."))


def _rules(rules: Keeping, **given: Any) -> Keeping:
    """Return rules with the values that options give; None: not given."""
    values = {name: value for name, value in given.items() if value is not None}
    kept = rules.model_dump(include=set(Keeping.model_fields))
    try:
        return Keeping.model_validate({**kept, **values})
    except ValidationError as e:
        first = e.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise UserError(f"--{option} {first['input']}: {first['msg']}") from None
