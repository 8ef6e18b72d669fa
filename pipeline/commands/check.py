"""`siamese check`: audit a folder of images before anything is trained on it."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.commands.folder import load
from pipeline.commands.options import AsJson, FolderOrConfig, Overrides, Quiet
from pipeline.config.errors import ConfigError
from pipeline.runs import preflight
from pipeline.runs.outcome import Outcome
from pipeline.terminal.console import note, out
from storage.file_systems import is_remote
from storage.spans import SPAN


def check(
    data: FolderOrConfig,
    overrides: Overrides = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 3 if there is a warning.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Audit the images: exposure, sizes, copies, shortcuts, label errors. Trains nothing.

    A folder has a sub-folder of images per class. Of more than 2,000 images a sample is read.

    Exit codes: 0 audited, whatever was found; 3 with --strict, if there is a warning; 2 the images
    cannot be used.

    Example: [bold]siamese check data/parts[/]
    """
    settings = preflight.at_newest_span(load(data, overrides or ()))
    root = settings.data.root
    if SPAN in root:
        raise ConfigError(f"data.root: name the folder of one span to check it, not {root}")
    if not is_remote(root):
        preflight.check_data(settings)
    note("reading the images ...")
    from components.data_check.auditing import audit_sources
    from pipeline.terminal.audit import show_audit

    found = audit_sources(root, settings.audit_settings)
    if as_json:
        out.print_json(found.model_dump_json())
    else:
        show_audit(out, found)
    if strict and found.warnings:
        raise typer.Exit(Outcome.NOT_BLESSED.exit_code)
