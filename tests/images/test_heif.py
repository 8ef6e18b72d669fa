import io
import sys

import numpy as np
import pytest
from PIL import Image

from images import canonical
from images.canonical import UnusableImage, canonical_image


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_photographs_of_phones_are_read(kind):
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    pixels = np.zeros((32, 48, 3), "uint8")
    pixels[:16] = (200, 40, 40)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=95)
    image = canonical_image(file.getvalue())
    assert (image.height, image.width, image.reencoded, image.frames) == (32, 48, True, 1)
    back = np.asarray(Image.open(io.BytesIO(image.data))).astype(int)
    assert np.abs(back[4:12, 8:40] - (200, 40, 40)).max() <= 6


def test_without_the_extra_the_message_names_it(monkeypatch):
    monkeypatch.setattr(canonical, "_readable_formats", lambda: ("PNG", "JPEG"))
    with pytest.raises(UnusableImage, match=r"HEIC.*siamese-tfx\[heif\].*convert it to JPEG"):
        canonical_image(b"\0\0\0\x18ftypheic" + bytes(40))


def test_the_reader_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(canonical.importlib.util, "find_spec", lambda name: None)
    canonical._readable_formats.cache_clear()
    try:
        assert "PNG" in canonical._readable_formats()
    finally:
        canonical._readable_formats.cache_clear()
