"""Which images a model was made with: what an exported model keeps of them, and how they are told.

The variable `training_keys` of an exported model, int64 [m], holds a key of each original file:
eight bytes an image, so that 100,000 images are 0.8 MB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np


def key(content_hash: bytes | str) -> int:
    """The first eight bytes of a file's SHA-256, as an int64.

    Args:
        content_hash: `records.features.CONTENT_HASH`, hexadecimal.
    """
    digits = content_hash.decode() if isinstance(content_hash, bytes) else content_hash
    return int.from_bytes(bytes.fromhex(digits[:16]), "big", signed=True)


def key_of_file(data: bytes) -> int:
    """The same of a file's bytes."""
    return key(hashlib.sha256(data).hexdigest())


def as_keys(content_hashes: Iterable[bytes]) -> np.ndarray:
    """Keys int64 [m], each once and in order, as a model keeps them."""
    return np.array(sorted({key(content_hash) for content_hash in content_hashes}), "int64")


def among(keys: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """Which images are among those that a model was made with, bool [n].

    Args:
        keys: int64 [n], theirs.
        seen: int64 [m], the model's; None: it does not say, and none is known to be.
    """
    return np.zeros(len(keys), bool) if seen is None else np.isin(keys, seen)
