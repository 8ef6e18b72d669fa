import hashlib

import numpy as np

from records import training_keys


def test_a_key_is_the_beginning_of_the_files_hash():
    data = b"an image"
    digest = hashlib.sha256(data)
    expected = np.frombuffer(digest.digest()[:8], ">i8")[0]
    assert training_keys.key_of_file(data) == expected
    assert (
        training_keys.key(digest.hexdigest())
        == training_keys.key(digest.hexdigest().encode())
        == expected
    )


def test_any_key_is_an_int64():
    hashes = [b"%016x" % number + b"0" * 48 for number in (0, 2**63 - 1, 2**63, 2**64 - 1)]
    keys = training_keys.as_keys([*hashes, hashes[0]])
    assert keys.tolist() == [-(2**63), -1, 0, 2**63 - 1]
    assert keys.dtype == np.int64
    assert training_keys.as_keys([]).dtype == np.int64


def test_what_a_model_has_seen():
    keys = np.array([5, 6, 7, 5])
    assert training_keys.among(keys, np.array([5, 9])).tolist() == [True, False, False, True]
    assert not training_keys.among(keys, np.empty(0, "int64")).any()
    assert training_keys.among(keys, None).tolist() == [False] * 4
