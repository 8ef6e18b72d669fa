"""Heat maps of the most confident errors, which the Judge leaves for the report."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from judging.judgement import Mistake
from records import features
from records.reading import read_split
from storage.file_systems import exists, open_file

if TYPE_CHECKING:
    from components.judge.exported_model import JudgedModel

FILE = "heat_maps.npz"
"""Name in the judgement's folder."""

MOST = 12
"""Errors that have heat maps, at most."""


class HeatMaps(NamedTuple):
    """Which places of an image speak for a class; see the signature `explain`.

    Attributes:
        picture: PNG of what the network sees.
        predicted: float32 [rows, columns], for the predicted class.
        own: float32 [rows, columns], for the image's own class; NaN if the model does not know it.
    """

    picture: bytes
    predicted: np.ndarray
    own: np.ndarray


def explain_mistakes(
    model: JudgedModel, mistakes: Sequence[Mistake], examples: str, split: str
) -> dict[str, HeatMaps]:
    """Return heat maps of the first mistakes by image id; none if the model has no `explain`.

    Args:
        model: With folds, the final one.
        mistakes: The most confident errors.
        examples: URI of ImageExampleGen's examples.
        split: The one that the images are in.
    """
    wanted = {one.image.id: one for one in mistakes[:MOST]}
    if not wanted or not model.explains:
        return {}
    images = {}
    for record in read_split(examples, split):
        id_, image = (
            record[name].bytes_list.value[0] for name in (features.IMAGE_ID, features.IMAGE)
        )
        if (text := id_.decode("ascii")) in wanted:
            images[text] = image
    found = {}
    for id_, image in images.items():
        predicted, own = (
            model.explain(image, label)
            for label in (wanted[id_].predicted, wanted[id_].image.label)
        )
        if predicted["valid"][0]:
            picture: bytes = predicted["picture_bytes"].tolist()[0]
            found[id_] = HeatMaps(picture, predicted["map"][0], own["map"][0])
    return found


def write_heat_maps(folder: str, maps: Mapping[str, HeatMaps]) -> None:
    """Write heat maps by image id into a judgement's folder."""
    arrays: dict[str, np.ndarray] = {}
    for id_, one in maps.items():
        arrays[f"{id_} picture"] = np.frombuffer(one.picture, np.uint8)
        arrays[f"{id_} predicted"], arrays[f"{id_} own"] = one.predicted, one.own
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    with open_file(os.path.join(folder, FILE), "wb") as file:
        file.write(buffer.getvalue())


def read_heat_maps(folder: str) -> dict[str, HeatMaps]:
    """Return the heat maps in a judgement's folder, by image id."""
    path = os.path.join(folder, FILE)
    if not exists(path):
        return {}
    with open_file(path, "rb") as file:
        arrays = dict(np.load(io.BytesIO(file.read())))
    ids = [name.removesuffix(" picture") for name in arrays if name.endswith(" picture")]
    return {
        id_: HeatMaps(
            arrays[f"{id_} picture"].tobytes(), arrays[f"{id_} predicted"], arrays[f"{id_} own"]
        )
        for id_ in ids
    }
