import hashlib

import numpy as np

from records import training_keys as seen


def test_a_key_is_the_beginning_of_the_files_hash():
    data = b"an image"
    digest = hashlib.sha256(data)
    expected = np.frombuffer(digest.digest()[:8], ">i8")[0]
    assert seen.key_of_file(data) == expected
    assert seen.key(digest.hexdigest()) == seen.key(digest.hexdigest().encode()) == expected


def test_any_key_is_an_int64():
    hashes = [b"%016x" % number + b"0" * 48 for number in (0, 2**63 - 1, 2**63, 2**64 - 1)]
    keys = seen.as_keys([*hashes, hashes[0]])
    assert keys.tolist() == [-(2**63), -1, 0, 2**63 - 1]
    assert keys.dtype == np.int64
    assert seen.as_keys([]).dtype == np.int64


def test_what_a_model_has_seen():
    keys = np.array([5, 6, 7, 5])
    assert seen.among(keys, np.array([5, 9])).tolist() == [True, False, False, True]
    assert not seen.among(keys, np.empty(0, "int64")).any()
    assert seen.among(keys, None).tolist() == [False] * 4
