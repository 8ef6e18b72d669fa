"""The support set of a pushed version: its classes, and pictures of its images."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from base.errors import UserError
from pipeline.config.run_config import RunConfig
from serving.query_image import ImageError
from storage.enrolled_images import read_enrolled_images
from storage.file_systems import is_folder, is_remote, open_file
from storage.model_versions import SAVED_MODEL, complete_versions, newest_version
from storage.spans import current_root


class NoModel(UserError):
    """There is no version on this machine whose support set could be read."""


class Listing(NamedTuple):
    """What is known of a version's support set.

    Attributes:
        version: Its number.
        classes: Names of the images by class.
        right: By class, how many of its images the others classify correctly, and how many there
            are; without classes of a single image.
        thresholds: The model's own, `same` and `known`; may be empty.
    """

    version: int
    classes: dict[str, list[str]]
    right: dict[str, tuple[int, int]]
    thresholds: dict[str, float]


class Support:
    """Reads versions below a base path; threads may share it.

    Args:
        settings: Of the pipeline that pushed it.
    """

    def __init__(self, settings: RunConfig) -> None:
        self._settings, self._lock = settings, threading.Lock()
        self._read = lru_cache(maxsize=4)(_read)
        self._enrolled = lru_cache(maxsize=8)(_enrolled)

    def version(self, number: int | None = None) -> Path:
        """Return the folder of a version.

        Args:
            number: Its number; None: the newest.

        Raises:
            NoModel: There is none on this machine.
        """
        base = self._settings.serving_root
        if is_remote(base):
            raise NoModel(f"{base}: is not on this machine, so that the support set is not shown")
        newest = newest_version(base)
        if newest is None:
            raise NoModel(f"{base}: no model has been pushed there; start a run")
        found = Path(newest if number is None else os.path.join(base, str(number)))
        if not (found / SAVED_MODEL).is_file():
            raise NoModel(f"{found}: is not on this machine")
        return found

    def listing(self, number: int | None = None) -> Listing:
        """Return a version's support set; its first reading takes some seconds.

        Args:
            number: See `version`.

        Raises:
            NoModel: There is none on this machine, or it cannot be read.
        """
        version = self.version(number)
        with self._lock:  # one process, not one for each page that is open
            return self._read(version)

    def image(self, name: str) -> bytes:
        """Return the file of a support image.

        Args:
            name: As the model names it.

        Raises:
            ImageError: It is not there.
        """
        base = self._settings.serving_root
        local = is_folder(base) and not is_remote(base)
        for version in complete_versions(base).values() if local else ():
            if (found := self._enrolled(Path(version)).get(name)) is not None:
                return found
        if os.path.isabs(name) or os.path.normpath(name).startswith("..") or "\0" in name:
            raise ImageError(f"{name}: is no image of the support set")
        path = os.path.join(current_root(self._settings.data.root), name)
        try:
            with open_file(path, "rb") as file:
                return file.read()
        except OSError as error:
            raise ImageError(f"{path}: cannot be read ({error.strerror})") from error


def _read(version: Path) -> Listing:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.ui.support_listing", str(version)],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NoModel(f"{version}: its support set cannot be read ({last})")
    return Listing(int(version.name), **json.loads(done.stdout))


def _enrolled(version: Path) -> dict[str, bytes]:
    return {one.source: one.image for one in read_enrolled_images(version)}
