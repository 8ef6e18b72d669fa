"""Reads the records of a split."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from storage.file_systems import glob, is_folder
from storage.local_copies import tensorflow_path


def read_split(examples: str, split: str) -> Iterator[Mapping[str, Any]]:
    """Yield the features of each record (`records.features`) of a split; none if it is missing.

    Args:
        examples: Folder of the artifact, local or an address.
        split: One of `features.SPLITS`.
    """
    folder = os.path.join(examples, f"Split-{split}")
    if not is_folder(folder):
        return
    import tensorflow as tf

    with tensorflow_path(folder) as path:
        files = glob(os.path.join(path, "*"))
        for record in tf.data.TFRecordDataset(files, compression_type="GZIP"):
            yield tf.train.Example.FromString(record.numpy()).features.feature
