"""The models that runs have pushed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from base.errors import UserError
from serving.version_labels import Labels, labels_file, read_labels, write_labels
from storage.file_systems import download, is_remote
from storage.model_versions import SAVED_MODEL, complete_versions, newest_version


def newest_pushed(serving_root: str) -> str:
    """Return the newest version in a base path.

    Raises:
        UserError: There is no version.
    """
    newest = newest_version(serving_root)
    if newest is None:
        raise UserError(
            f"{serving_root}: no model has been pushed there; run the pipeline: siamese run"
        )
    return newest


def pushed_version(serving_root: str, version: int | None, label: str | None) -> str:
    """Return a version in a base path: the one that is named, has the label, or is the newest.

    Raises:
        UserError: There is no such version.
    """
    if label is not None:
        labels = read_labels(labels_file(serving_root))
        version = labels.versions.get(label) if labels else None
        if version is None:
            raise UserError(f"{serving_root}: no version has the label {label!r}")
    newest = newest_pushed(serving_root)
    if version is None:
        return newest
    try:
        return complete_versions(serving_root)[version]
    except KeyError:
        raise UserError(f"{serving_root}: holds no version {version}") from None


def newest_model(serving_root: str, copies: Path) -> Path:
    """Return the newest version in a base path, or a local copy of a remote one.

    Servers of this project read local files.

    Args:
        serving_root: The base path.
        copies: Local folder for the copy; older copies in it are deleted.

    Raises:
        UserError: There is no version.
    """
    newest = newest_pushed(serving_root)
    return _copy(newest, copies) if is_remote(newest) else Path(newest)


def model_to_serve(serving_root: str, copies: Path, name: str) -> tuple[Path, Labels | None]:
    """Return the folder of a version to serve, and the labels that a server can follow beside it.

    Without a file of labels one is written, so that the first promotion needs no restart.

    Args:
        serving_root: The base path. Of a remote one the stable version, or else the newest one, is
            copied, and nothing is followed.
        copies: Local folder for the copy; older copies in it are deleted.
        name: The model's name, unless the labels name it.

    Raises:
        UserError: There is no version, or a labelled one is gone.
    """
    newest = newest_version(serving_root)
    labels = read_labels(labels_file(serving_root)) if newest else None
    if newest is None or (labels is None and is_remote(serving_root)):
        return newest_model(serving_root, copies), None
    gone = set(labels.versions.values()) - set(complete_versions(serving_root)) if labels else set()
    if labels and gone:
        raise UserError(
            f"{labels_file(serving_root)}: gives a label to versions that are not there "
            f"({', '.join(map(str, sorted(gone)))}); promote another one: siamese promote"
        )
    if labels and is_remote(serving_root):
        return _copy(
            f"{serving_root.rstrip('/')}/{labels.stable or os.path.basename(newest)}", copies
        ), None
    if labels is None or _moved(labels, serving_root):
        labels = Labels(name, os.path.abspath(serving_root))
        try:
            write_labels(labels_file(serving_root), labels)
        except OSError:  # such as a read-only folder: promotions are made elsewhere
            labels = None
    return Path(newest), labels


def _moved(labels: Labels, serving_root: str) -> bool:
    """Return whether a file without labels was written where the folder was before."""
    return not labels.versions and labels.base_path != os.path.abspath(serving_root)


def waits_for_promotion(version: str | os.PathLike[str]) -> str | None:
    """Return, in a sentence, that a new version is not served yet; None if servers take it."""
    base, number = os.path.split(os.fspath(version))
    labels = read_labels(labels_file(base))
    if labels is None or not labels.loaded or int(number) in labels.loaded:
        return None
    return (
        f"It is not served yet: version {labels.stable} is stable. siamese promote {base} {number}"
    )


def _copy(version: str, copies: Path) -> Path:
    number = os.path.basename(version)
    if not (copies / number / SAVED_MODEL).is_file():
        unfinished = copies / f".{number}"
        shutil.rmtree(unfinished, ignore_errors=True)
        download(version, str(unfinished))
        unfinished.rename(copies / number)
    for other in copies.iterdir():
        if other.name != number:
            shutil.rmtree(other)
    return copies / number
