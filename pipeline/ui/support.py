"""The support set of a pushed version: its classes, and pictures of its images."""

from __future__ import annotations

import importlib.util
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
from pipeline.ui.enrolled_pictures import EnrolledPictures
from serving.query_image import ImageError
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
        self._read = lru_cache(maxsize=4)(self._listed)
        self._child: subprocess.Popen[str] | None = None
        self._closed = False
        self._enrolled = EnrolledPictures()

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
        local = not is_remote(base) and is_folder(base)
        versions = list(complete_versions(base).values()) if local else []
        found = self._enrolled.image(name, versions[:1])
        if found is not None:
            return found
        try:
            return self._image_of_the_data(name)
        except ImageError:
            # Last, since by the same name they may have had another image.
            found = self._enrolled.image(name, versions[1:])
            if found is None:
                raise
            return found

    def close(self) -> None:
        """End the process that reads a support set."""
        self._closed = True
        if self._child is not None:
            self._child.kill()

    def _image_of_the_data(self, name: str) -> bytes:
        if os.path.isabs(name) or os.path.normpath(name).startswith("..") or "\0" in name:
            raise ImageError(f"{name}: is no image of the support set")
        path = os.path.join(current_root(self._settings.data.root), name)
        try:
            with open_file(path, "rb") as file:
                return file.read()
        except OSError as error:
            raise ImageError(f"{path}: cannot be read ({error.strerror})") from error

    def _listed(self, version: Path) -> Listing:
        if importlib.util.find_spec("tensorflow") is None:
            raise NoModel(
                f"{version}: its support set is not shown, since that needs TensorFlow: install "
                "siamese-tfx[pipeline]"
            )
        self._child = subprocess.Popen(
            [sys.executable, "-m", "pipeline.ui.support_listing", str(version)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
        )
        if self._closed:
            self._child.kill()
        out, err = self._child.communicate()
        if self._child.returncode:
            last = (err.strip().splitlines() or ["no reason given"])[-1]
            raise NoModel(f"{version}: its support set cannot be read ({last})")
        return Listing(int(version.name), **json.loads(out))
