import os

import pytest

from base.printable import printable


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("with space/Größe ✓.jpg", "with space/Größe ✓.jpg"),
        ("two\nlines.jpg", "two\\nlines.jpg"),
        ("bell\a", "bell\\x07"),
        ('it\'s "both"', 'it\'s "both"'),
        (os.fsdecode(b"latin-\xe9.jpg"), "latin-\\xe9.jpg"),
    ],
)
def test_a_path_is_one_line_that_can_be_printed(path, shown):
    assert printable(path) == shown
    shown.encode("utf-8")
