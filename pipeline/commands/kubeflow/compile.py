"""`siamese kubeflow compile`: write the pipeline as a file for a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.kubeflow.options import compile_to
from pipeline.commands.options import ConfigFile, Overrides, Quiet, Verbose
from pipeline.config.reading import load
from pipeline.terminal.console import say


def compile_(
    config: ConfigFile,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File: .yaml for Kubeflow Pipelines, .json for Vertex AI. "
            "Default: <name>.pipeline.yaml.",
        ),
    ] = None,
    overrides: Overrides = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write the pipeline as a file for Kubeflow Pipelines (.yaml) or Vertex AI (.json).

    Example: [bold]siamese kubeflow compile my.yaml -o my-pipeline.yaml[/]
    """
    from pipeline.cluster import parameters
    from pipeline.cluster.checks import check_cluster
    from pipeline.cluster.compile import platform_of

    settings = load(config, overrides or ())
    path = output or Path(f"{settings.name}.pipeline.yaml")
    platform = platform_of(path)
    check_cluster(settings, parameters.complete(settings, {}), platform)
    compile_to(path, settings)
    say(f"{path}: compiled for {'Vertex AI' if platform == 'vertex' else 'Kubeflow Pipelines'}.")
