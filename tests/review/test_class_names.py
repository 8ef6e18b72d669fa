from __future__ import annotations

import pytest

from review.class_names import LabelError, class_label


def test_a_name_is_spelled_as_folders_are():
    assert class_label(" Pru\u0308fung ") == "Pr\u00fcfung"
    assert class_label("<b>bent</b>".replace("/", "")) == "<b>bent<b>"


@pytest.mark.parametrize(
    "text", ["", "  ", "a/b", "..", ".hidden", "a\\b", "two\nlines", "Thumbs.db", "x" * 201]
)
def test_a_name_that_no_class_can_have_is_refused(text):
    with pytest.raises(LabelError):
        class_label(text)
