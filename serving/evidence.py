"""Pictures of the support images that an answer names.

A served model has the names of its support images, not their pictures: these are read from the
folder of training images.
"""

from __future__ import annotations

import io
import os
from typing import NamedTuple

from PIL import Image

from serving.answers import Classification
from serving.query_image import ImageError, canonical_query


class Evidence(NamedTuple):
    """A support image.

    Attributes:
        name: As the model names it.
        picture: The upright image.
    """

    name: str
    picture: Image.Image


def evidence(answer: Classification, images: str | os.PathLike[str]) -> list[Evidence]:
    """Return the nearest support images, nearest first.

    Args:
        answer: Of `SiameseClient.classify`.
        images: Folder of the training images, `data.root` of the model's configuration: a local
            path or an address.

    Raises:
        ImageError: One is not there, or cannot be read.
    """
    found = []
    for name in answer.nearest:
        if os.path.isabs(name) or os.path.normpath(name).startswith(".."):
            raise ImageError(f"{name}: the model names an image outside of {os.fspath(images)}")
        try:
            data = canonical_query(os.path.join(os.fspath(images), name))
        except ImageError as e:
            raise ImageError(f"{e}; name the folder of the model's training images") from e
        found.append(Evidence(name, Image.open(io.BytesIO(data))))
    return found
