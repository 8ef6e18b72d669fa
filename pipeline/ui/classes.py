"""The page *Classes*: the support set, and changes of it."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from starlette.routing import Route

from base.errors import UserError
from pipeline.config.sections import Data
from pipeline.review.enrolling import reviewed_images
from pipeline.ui.answering import BadRequest, Values, endpoint
from pipeline.ui.changing import Change
from pipeline.ui.models import verdict_values
from pipeline.ui.workplace import Workplace
from review.class_names import class_label
from serving.version_labels import LabelsError, labels_file, read_labels
from storage.file_systems import is_folder, is_remote
from storage.lineage import read_lineage
from storage.spans import current_root


class ClassesError(UserError):
    """A change of classes that makes no sense."""


def classes(place: Workplace, values: Values) -> Values:
    """Return the support set by class, and how many reviewed images there are of each class."""
    listing = place.support.listing()
    found = [
        {"name": label, "images": names, "right": listing.right.get(label)}
        for label, names in listing.classes.items()
    ]
    reviewed = {label: len(files) for label, files in _reviewed(place).items()}
    return {
        "version": listing.version,
        "classes": found,
        "reviewed": reviewed,
        "labelled": _labelled(place.settings.data),
    }


def _labelled(data: Data) -> str | None:
    """Return the data set, as `siamese enroll --test` takes it; None if it does not."""
    if is_remote(data.root) or not is_folder(root := current_root(data.root)):
        return None
    if data.manifest is None:
        return root
    # Its paths are relative to the root, and `--test` takes them relative to the file.
    return None if os.path.dirname(data.manifest) else os.path.join(root, data.manifest)


def _reviewed(place: Workplace) -> dict[str, list[tuple[Path, str]]]:
    """Return by class the files that people have given it, without those that the model has."""
    with place.store() as store:
        return {
            label: [(store.image_path(digest), digest[:16]) for digest in digests]
            for label, digests in reviewed_images(
                place.settings, store, place.support.version()
            ).items()
        }


def prepare(place: Workplace, values: Values) -> Values:
    """Begin to prepare a change."""
    present = place.support.listing().classes
    add: dict[str, list[tuple[Path, str]]] = defaultdict(list)
    for label, ids in _object(values, "add").items():
        files = add[class_label(label)]
        for id_ in _texts(ids, "add"):
            upload = place.uploads.get(id_)
            files.append((place.uploads.path(upload.id), upload.name))
    reviewed = _reviewed(place)
    for label in _texts(values.get("reviewed", []), "reviewed"):
        add[class_label(label)] += reviewed.get(label, [])
    if empty := [label for label, files in add.items() if not files]:
        raise ClassesError(f"{empty[0]!r}: choose its images")
    kinds = {label in present for label in add}
    if len(kinds) > 1:
        raise ClassesError(
            "images are added to new classes and to others that exist; make it two changes"
        )
    change = Change(
        add,
        extend=kinds == {True},
        remove=_texts(values.get("remove", []), "remove"),
        remove_images=_texts(values.get("remove_images", []), "remove_images"),
        move=_moves(values),
        test=_texts([values.get("test", "")], "test")[0].strip(),
    )
    place.changing.prepare(place.support.version().parent, change)
    return place.changing.state()


def _object(values: Values, name: str) -> dict[str, Any]:
    found = values.get(name, {})
    if not isinstance(found, dict):
        raise BadRequest(f"{name}: is no object")
    return found


def _moves(values: Values) -> dict[str, str]:
    found = _object(values, "move")
    _texts(list(found.values()), "move")
    return {name: class_label(label) for name, label in found.items()}


def _texts(found: Any, name: str) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise BadRequest(f"{name}: is no list of texts")
    return found


def change(place: Workplace, values: Values) -> Values:
    """Return what has become of the change, and how the version was judged."""
    found = place.changing.state()
    if found["state"] == "prepared":
        lineage = read_lineage(found["enrolled"]["version"])
        found["verdict"] = verdict_values(lineage.verdict if lineage else None)
    return found


def publish(place: Workplace, values: Values) -> Values:
    """Publish the prepared change; tell whether servers wait for its promotion."""
    path = place.changing.publish()
    return {"version": int(path.name), "waits": _follow_labels(path.parent)}


def _follow_labels(base: Path) -> bool:
    """Return whether servers load the versions with labels, and not the newest one."""
    try:
        labels = read_labels(labels_file(base))
    except (LabelsError, OSError):
        return False  # the page Models says what is wrong
    return labels is not None and bool(labels.versions)


def discard(place: Workplace, values: Values) -> Values:
    """Forget the change."""
    place.changing.discard()
    return place.changing.state()


ROUTES = [
    Route("/api/classes", endpoint(classes)),
    Route("/api/change", endpoint(change)),
    Route("/api/change/prepare", endpoint(prepare), methods=["POST"]),
    Route("/api/change/publish", endpoint(publish), methods=["POST"]),
    Route("/api/change/discard", endpoint(discard), methods=["POST"]),
]
