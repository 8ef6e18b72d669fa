"""The check that a model's new version must pass before it is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from base.errors import UserError
from pipeline.config.run_config import RunConfig
from pipeline.runs.outcome import Outcome
from pipeline.terminal.console import stop
from storage.file_systems import is_remote

if TYPE_CHECKING:
    from rich.status import Status

    from judging.judgement import Judgement
    from serving.engine import Engine
    from serving.enroll import Check


def check_test_images(images: Path) -> None:
    """Refuse, before anything is done, labelled images of --test that are not there.

    Raises:
        UserError: They are not.
    """
    if is_remote(images):
        raise UserError(f"--test {images}: is not on this machine; copy the labelled images here")
    if not images.exists():
        raise UserError(
            f"--test {images}: there is no such folder or CSV file; name one of labelled images"
        )


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


def check_of(
    engine: Engine, test: Path | None, settings: RunConfig | None, status: Status
) -> Check:
    """Return the check of an enrolment: the version is served, and blessed if there are images.

    Args:
        engine: The server.
        test: Labelled images to judge the version on; None: it is not judged.
        settings: How to judge.
        status: Shows the progress.
    """

    def check(candidate: Path, images: Sequence[bytes]) -> None:
        check_served(candidate, images, engine)
        if test and settings:
            judgement = judge_version(candidate, test, settings, status)
            check_blessed(judgement)
            record_judgement(candidate, judgement, test)

    return check


def judge_version(version: Path, images: Path, settings: RunConfig, status: Status) -> Judgement:
    """Return the judgement of a version on labelled images.

    Args:
        version: Its folder.
        images: Labelled images.
        settings: How to judge, from `pipeline.gate.asked.settings_of`.
        status: Shows the progress.
    """
    from judging.views import CANDIDATE
    from pipeline.gate.labelled_folder import judge_models

    def show(done: int, files: int) -> None:
        status.update(f"Embedding image {done:,} of {files:,} ...")

    return judge_models({CANDIDATE: version}, images, settings, show).judged.judgement


def record_judgement(version: Path, judgement: Judgement, images: Path) -> None:
    """Write into a version how it was judged on labelled images."""
    from components.judge.lineage import verdict_of
    from storage.lineage import record_verdict

    record_verdict(version, verdict_of(judgement, str(images)))


def check_blessed(judgement: Judgement) -> None:
    """Stop the command, with the gate's exit code, unless the judgement is a blessing."""
    outcome = Outcome(judgement.verdict.outcome)
    if outcome is not Outcome.BLESSED:
        reasons = "; ".join(judgement.verdict.reasons)
        stop(
            f"the new version is {outcome.word}, and was not written: {reasons}", outcome.exit_code
        )
