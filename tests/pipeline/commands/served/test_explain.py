"""`siamese explain` against a fake service in this process."""

import json

import numpy as np
import pytest
from command_line import siamese
from PIL import Image
from sample_images import encoded, picture

from pipeline.terminal.console import WRONG_USE

PNG, OTHER = encoded(picture(0, 0)), encoded(picture(1, 1))
ONE, TWO = "data/class-0/0.png", "data/class-1/0.png"


@pytest.fixture
def there(service, address):
    service.replies = {
        "map": np.array([[[1, 0], [0, -1]]], "f"),
        "other_map": np.array([[[0, 0], [0, 2]]], "f"),
        "score": np.array([0.25], "f"),
        "label": np.array([b"nut"], object),
        "picture_bytes": np.array([PNG], object),
        "other_picture_bytes": np.array([b""], object),
        "valid": np.array([True]),
        "reason": np.array([b""], object),
    }
    return ["--server", address, "--name", "parts"]


def test_a_class_is_drawn(there, tmp_path):
    file = tmp_path / "map.png"
    result = siamese("explain", ONE, "-o", str(file), *there)
    assert result.exit_code == 0, result.everything
    assert "Class 'nut', score 0.250." in result.everything
    with Image.open(file) as drawn:
        assert drawn.size == (2 * 320 + 8, 320)
        red, _, blue = np.asarray(drawn.convert("RGB"), int)[20, 348]
        assert red > blue + 50  # speaks for it
        red, _, blue = np.asarray(drawn.convert("RGB"), int)[300, 628]
        assert blue > red + 50


def test_a_pair_is_drawn_and_printed(service, there, tmp_path):
    service.replies["other_picture_bytes"] = np.array([OTHER], object)
    service.replies["label"] = np.array([b""], object)
    file = tmp_path / "map.webp"
    result = siamese("explain", ONE, TWO, "-o", str(file), "--json", *there)
    assert result.exit_code == 0, result.everything
    answer = json.loads(result.stdout)
    assert answer["map"] == [[1, 0], [0, -1]]
    assert answer["other_map"] == [[0, 0], [0, 2]]
    assert (answer["score"], answer["exact"]) == (0.25, True)
    with Image.open(file) as drawn:
        assert drawn.size == (2 * 320 + 8, 2 * 320 + 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([ONE, TWO, "--class", "nut"], "not both"),
        ([ONE, "-o", "map.txt"], "map.txt: the picture is a file .png"),
        ([ONE, "-o", "no/folder/map.png"], "no/folder/map.png: cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said(there, arguments, message):
    result = siamese("explain", *arguments, *there)
    assert result.exit_code == WRONG_USE
    assert message in result.everything
