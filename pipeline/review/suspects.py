"""Brings the images of the last judgement that people should look at into a traffic store."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from judging.judgement import Judgement, Picture
from pipeline.config.run_config import RunConfig
from pipeline.runs.finished_run import find_judged_run
from pipeline.runs.outcome import Outcome
from pipeline.runs.run_folders import NoSuchRun, list_runs
from storage.file_systems import open_file
from traffic.rows import Kept
from traffic.store import TrafficStore

_JUDGED = (Outcome.BLESSED, Outcome.NOT_BLESSED, Outcome.UNDECIDED)


class AddedSuspects(NamedTuple):
    """What was brought into the store.

    Attributes:
        run: Id of the judged run.
        added: Number of images that are new in the store.
        known: Number of those that it had already.
        reviewed: Number of the latter that have been reviewed.
        missing: Files that cannot be read any more.
    """

    run: str
    added: int
    known: int
    reviewed: int
    missing: list[str]


def last_judgement(config: RunConfig) -> tuple[str, Judgement]:
    """Return the id and the judgement of the last run that was judged.

    Raises:
        NoSuchRun: None was.
    """
    for run in list_runs(config.root, config.name):
        if run.outcome in _JUDGED:
            return run.id, find_judged_run(Path(config.root), run.id).judgement
    raise NoSuchRun(f"{config.name} has no judged run in {config.root}; start one: siamese run")


def add_suspects(config: RunConfig, store: TrafficStore, reopen: bool = False) -> AddedSuspects:
    """Keep the mislabel suspects and the most confident errors of the last judgement.

    Args:
        config: Whose last judgement counts.
        store: Where they are kept.
        reopen: Whether those whose decision is in a span wait for a decision again; a decision that
            is not trained on yet stays.

    Raises:
        NoSuchRun: No run was judged.
    """
    run, judgement = last_judgement(config)
    pictures = _pictures(judgement)
    before = {image.digest for image in store.images()}
    found, missing, now = set(), [], time.time()
    for place, picture in enumerate(pictures):
        try:
            with open_file(os.path.join(judgement.root, picture.source), "rb") as file:
                content = file.read()
        except OSError:
            missing.append(picture.source)
            continue
        # A microsecond apart, so that the queue has them in the judgement's order.
        time_ = now + place * 1e-6
        digest = store.add_image(content, Kept.SUSPECT, time_, picture.source, picture.label)
        found.add(digest)
    reviews = [review for review in store.reviews() if review.digest in found]
    reviewed = {review.digest for review in reviews}
    if reopen:
        reviewed = {review.digest for review in reviews if review.span is not None}
        store.reopen(reviewed)
    return AddedSuspects(run, len(found - before), len(found & before), len(reviewed), missing)


def _pictures(judgement: Judgement) -> list[Picture]:
    """Return suspects and then errors, each image once."""
    suspects = [one.image for one in judgement.suspects]
    errors = [one.image for one in judgement.mistakes]
    return list({picture.id: picture for picture in (*suspects, *errors)}.values())
