import os

import cv2
import numpy as np
import pytest

from images.canonical import UnusableImage
from images.reading import read_bytes, read_image


def test_the_bytes_of_a_file_and_its_canonical_image(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((3, 4, 3), np.uint8))
    data, canonical = read_image(str(tmp_path / "1.png"), max_pixels=12)
    assert data == canonical.data == (tmp_path / "1.png").read_bytes()
    assert (canonical.height, canonical.width) == (3, 4)
    with pytest.raises(UnusableImage, match="has 4 x 3 pixels"):
        read_image(str(tmp_path / "1.png"), max_pixels=11)


def test_what_is_not_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, problem in (
        (tmp_path, "is a folder, not a file"),
        (tmp_path / "pipe", "is not a regular file"),
        (tmp_path / "none", "cannot be read: No such file or directory"),
    ):
        with pytest.raises(UnusableImage, match=problem):
            read_bytes(str(path))
