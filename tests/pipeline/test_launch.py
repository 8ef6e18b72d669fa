import pytest

from components.data_error import DataError
from pipeline.launch import explain
from trainer.errors import WeightsError


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DataError("class 'a' is missing"), "class 'a' is missing"),
        (
            DataError("two lines:\n  one file [while running 'Read/Map'] [while running 'X']"),
            "two lines:\n  one file",
        ),
        (WeightsError("no weights"), "no weights"),
        (
            RuntimeError(
                "Traceback (most recent call last):\n  File 'x.py', line 1\n"
                "components.data_error.DataError: the same content is in two splits\n"
                "  a.png [while running 'NoLeak/Check']"
            ),
            "the same content is in two splits\n  a.png",
        ),
        (KeyError("x"), "KeyError: 'x'"),
        (ValueError("first line\nlast line"), "ValueError: last line"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_errors_in_words(error, words):
    assert explain(error) == words
