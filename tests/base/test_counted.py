import pytest

from base.counted import counted


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 images are"), (1, "1 image is"), (2, "2 images are")]
)
def test_the_verb_agrees(count, words):
    assert counted(count, "image", ("is", "are")) == words


def test_without_a_verb():
    assert [counted(n, "file") for n in (1, 12345)] == ["1 file", "12,345 files"]
