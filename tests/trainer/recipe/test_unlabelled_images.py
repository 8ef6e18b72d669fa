import numpy as np
import pytest
import run_fn_here
import tensorflow as tf
from sample_images import encoded, picture

from base.errors import DataError
from components.transform.pixels import decode_and_resize
from records import features
from trainer.export.safe_pixels import safe_pixels
from trainer.recipe.unlabelled_images import read_unlabelled


def decode(images):
    def preprocess(images):
        return run_fn_here.Layer()({features.IMAGE: images[:, None]})[features.PIXELS][:, 0]

    return safe_pixels(images, preprocess, (16, 16), 10_000)


def test_images_are_read_as_the_others_are(tmp_path):
    (tmp_path / "deeper").mkdir()
    files = {
        "a.png": encoded(picture(0, 1)),
        "again.png": encoded(picture(0, 1)),
        "deeper/b.jpg": encoded(picture(0, 2), "JPEG"),
        "c.webp": encoded(picture(0, 3), "WEBP", lossless=True),
        "large.png": encoded(picture(0, 4, 200)),
        "notes.txt": b"no image",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    found = read_unlabelled(str(tmp_path), decode, 10_000)
    assert sorted(found.sources) == ["a.png", "c.webp", "deeper/b.jpg"]
    assert sorted(found.excluded) == ["large.png", "notes.txt"]
    assert found.pixels.shape == (3, 16, 16, 3)
    place = found.sources.index("a.png")
    expected = decode_and_resize(tf.constant(files["a.png"]), 16, "cubic").numpy()
    np.testing.assert_array_equal(found.pixels[place], expected)
    lineage = found.lineage()
    assert lineage["files"] == 6
    assert len(lineage["images"]) == 3
    before = found.digest()
    (tmp_path / "a.png").rename(tmp_path / "z.png")
    (tmp_path / "again.png").unlink()
    assert read_unlabelled(str(tmp_path), decode, 10_000).digest() == before


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(DataError, match=r"data\.unlabelled: none of the 1 files .* notes\.txt: "):
        read_unlabelled(str(tmp_path), decode, 10_000)
    with pytest.raises(DataError, match=r"data\.unlabelled: there is no folder"):
        read_unlabelled(str(tmp_path / "nowhere"), decode, 10_000)
