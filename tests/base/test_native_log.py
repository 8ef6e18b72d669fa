import os

import pytest

from base.native_log import native_log_discarded


def test_what_a_library_writes_is_discarded(capfd):
    with native_log_discarded():
        os.write(2, b"E0000 cuda_platform.cc:52] failed call to cuInit")
    os.write(2, b"of ours")
    assert capfd.readouterr().err == "of ours"


def test_errors_are_raised_and_standard_error_comes_back(capfd):
    with pytest.raises(ImportError), native_log_discarded():
        raise ImportError
    os.write(2, b"of ours")
    assert capfd.readouterr().err == "of ours"
