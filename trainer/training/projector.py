"""Writes embeddings for TensorBoard's projector: points with thumbnails and labels.

The files are those of https://www.tensorflow.org/tensorboard/tensorboard_projector_plugin.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

from base.printable import text_of

_THUMBNAIL = 40
_LARGEST_SPRITE = 8192  # pixels, TensorBoard's limit


def write_projector(
    folder: Path,
    embeddings: np.ndarray,
    pixels: np.ndarray,
    labels: np.ndarray,
    splits: list[str],
    sources: list[bytes],
) -> None:
    """Write `embeddings.tsv`, `metadata.tsv`, `sprite.png` and the projector's configuration.

    Args:
        folder: TensorBoard's log folder.
        embeddings: float [n, d].
        pixels: uint8 [n, size, size, 3].
        labels: str [n].
        splits: n split names.
        sources: n files, relative to the data root; the report's map shows them.
    """
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    folder.mkdir(parents=True, exist_ok=True)
    most = (_LARGEST_SPRITE // _THUMBNAIL) ** 2
    embeddings, pixels, labels = embeddings[:most], pixels[:most], labels[:most]
    np.savetxt(folder / "embeddings.tsv", embeddings, fmt="%.6g", delimiter="\t")
    files = [text_of(source) for source in sources]
    rows = [
        "\t".join(map(_cell, row)) for row in zip(labels, splits, files, strict=False)
    ]  # fmt: skip
    table = "\n".join(["class\tsplit\tfile", *rows, ""])
    (folder / "metadata.tsv").write_text(table, encoding="utf-8")
    _sprite(pixels).save(folder / "sprite.png")

    config = ProjectorConfig()
    embedding = config.embeddings.add()
    embedding.tensor_name = "embedding"
    embedding.tensor_path = "embeddings.tsv"
    embedding.metadata_path = "metadata.tsv"
    embedding.sprite.image_path = "sprite.png"
    embedding.sprite.single_image_dim.extend([_THUMBNAIL, _THUMBNAIL])
    (folder / "projector_config.pbtxt").write_text(
        text_format.MessageToString(config), encoding="utf-8"
    )


def _sprite(pixels: np.ndarray) -> Image.Image:
    """Thumbnails row by row in the smallest square that holds them."""
    side = max(1, math.ceil(math.sqrt(len(pixels))))
    sprite = Image.new("RGB", (side * _THUMBNAIL, side * _THUMBNAIL))
    for number, one in enumerate(pixels):
        thumbnail = Image.fromarray(one).resize((_THUMBNAIL, _THUMBNAIL))
        row, column = divmod(number, side)
        sprite.paste(thumbnail, (column * _THUMBNAIL, row * _THUMBNAIL))
    return sprite


def _cell(text: str) -> str:
    return " ".join(str(text).split())
