"""Which images a model was trained on: the keys that it contains, and how they are recognized.

The variable `training_keys` of an exported model, int64 [m], holds a key of each original file:
eight bytes an image, so that 100,000 images are 0.8 MB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np


def key(content_hash: bytes | str) -> int:
    """Return the first eight bytes of a file's SHA-256, as an int64.

    Args:
        content_hash: `records.features.CONTENT_HASH`, hexadecimal.
    """
    digits = content_hash.decode() if isinstance(content_hash, bytes) else content_hash
    return int.from_bytes(bytes.fromhex(digits[:16]), "big", signed=True)


def key_of_file(data: bytes) -> int:
    """Return the key of a file with these bytes."""
    return key(hashlib.sha256(data).hexdigest())


def as_keys(content_hashes: Iterable[bytes]) -> np.ndarray:
    """Return the keys int64 [m] as a model keeps them: unique and sorted."""
    return np.array(sorted({key(content_hash) for content_hash in content_hashes}), "int64")


def among(keys: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """Return which images a model was trained on: bool [n].

    Args:
        keys: int64 [n], the images' keys.
        seen: int64 [m], the keys in the model; None if it contains none: the result is then False
            for every image.
    """
    return np.zeros(len(keys), bool) if seen is None else np.isin(keys, seen)
