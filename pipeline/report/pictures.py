"""Small copies of the images that a report shows, as data URIs. Only those are read."""

from __future__ import annotations

import base64
import io
import os
import warnings
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from PIL import Image

from images.canonical import MAX_PIXELS, UnusableImage, canonical_image
from judging.judgement import Picture
from records import features
from storage.file_systems import is_remote, load_plugins

SIDE = 144
"""Pixels of a thumbnail's longer side, at most."""

_TINY = 64
"""Up to this side an image is kept as it is: JPEG would blur the little there is to see."""


class Thumbnail(NamedTuple):
    """A small copy.

    Attributes:
        uri: `data:image/...;base64,...`.
        width: Columns.
        height: Rows.
        tiny: Whether it is to be shown enlarged, pixel by pixel.
    """

    uri: str
    width: int
    height: int
    tiny: bool


def thumbnails(
    pictures: Iterable[Picture], examples: str = "", root: str = "", support_root: str = ""
) -> dict[Picture, Thumbnail]:
    """Thumbnails of those pictures that are at hand.

    They are looked for among the records that were judged and learned from, by id or (support
    images) by file name, since a file may have changed since; else among the files.

    Args:
        pictures: What is to be shown.
        examples: URI of ImageExampleGen's examples; empty: there are none.
        root: What the sources of pictures with an id are below; empty: not known.
        support_root: The same of pictures without.
    """
    wanted = set(pictures)
    found: dict[Picture, Thumbnail] = {}
    by_key: dict[str, list[Picture]] = {}
    for picture in wanted:
        by_key.setdefault(_key(picture.id, picture.source), []).append(picture)
    for id_, source, data in _records(examples) if wanted and examples else ():
        # A file's name says the same as an id within these records.
        for key in (_key(id_, source), _key("", source)):
            for picture in by_key.pop(key, ()):
                if small := thumbnail(data):
                    found[picture] = small
        if not by_key:
            break
    for picture in (one for some in by_key.values() for one in some):
        read = _file(root if picture.id else support_root, picture.source)
        if read and (small := _of_file(read)):
            found[picture] = small
    return found


def thumbnail(data: bytes) -> Thumbnail | None:
    """A thumbnail of an encoded image, as records hold it; None where it is none."""
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data)) as image:
            warnings.simplefilter("ignore")  # of a size that the pipeline has let pass
            image.draft("RGB", (2 * SIDE, 2 * SIDE))  # of a JPEG, decodes no more than is needed
            small = image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    tiny = max(small.size) <= _TINY
    small.thumbnail((SIDE, SIDE))
    encoded = io.BytesIO()
    if tiny:
        small.save(encoded, "PNG", optimize=True)
    else:
        small.save(encoded, "JPEG", quality=72, optimize=True)
    text = base64.b64encode(encoded.getvalue()).decode("ascii")
    return Thumbnail(f"data:image/{'png' if tiny else 'jpeg'};base64,{text}", *small.size, tiny)


def _of_file(data: bytes) -> Thumbnail | None:
    try:
        return thumbnail(canonical_image(data, MAX_PIXELS).data)
    except UnusableImage:
        return None


def _key(id_: str, source: str) -> str:
    return f"id {id_}" if id_ else f"file {source}"


def _records(examples: str) -> Iterator[tuple[str, str, bytes]]:
    """Id, source and image of each record; test images first, then those of the support set."""
    load_plugins(examples)
    import tensorflow as tf

    for split in (features.TEST, features.TRAIN, features.VALIDATION):
        files = sorted(tf.io.gfile.glob(os.path.join(examples, f"Split-{split}", "*")))
        if not files:
            continue
        for record in tf.data.TFRecordDataset(files, compression_type="GZIP"):
            feature = tf.train.Example.FromString(record.numpy()).features.feature
            id_, source, image = (
                feature[name].bytes_list.value[0]
                for name in (features.IMAGE_ID, features.SOURCE, features.IMAGE)
            )
            # As `components.judge.exported_model.text` writes them.
            yield id_.decode("ascii"), source.decode("utf-8", "backslashreplace"), image


def _file(root: str, source: str) -> bytes | None:
    """A file's bytes; None where it is not to be had, or is not below the root."""
    if not root or not source or os.path.isabs(source) or ".." in source.split("/"):
        return None
    path = os.path.join(root, source)
    if not is_remote(root):
        if not os.path.isfile(path):  # reading a pipe would wait for ever
            return None
        try:
            with open(path, "rb") as local:
                return local.read()
        except OSError:
            return None
    load_plugins(path)
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "rb") as remote:
            return remote.read()
    except tf.errors.OpError:
        return None
