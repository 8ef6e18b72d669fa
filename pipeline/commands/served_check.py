"""The check that a model's new version must pass before it is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.terminal.console import stop

if TYPE_CHECKING:
    from serving.engine import Engine


def check_served(candidate: Path, images: Sequence[bytes], engine: Engine) -> None:
    """Stop the command unless a server gives the answers of the new version.

    Args:
        candidate: Folder of the new version.
        images: Encoded images to ask about.
        engine: The server.
    """
    from serving.engine import EngineError
    from serving.infra_check import InfraCheckError, infra_check

    try:
        infra_check(candidate, images, engine)
    except (EngineError, InfraCheckError) as e:
        stop(f"the new version cannot be served, and was not written: {e}")
