from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from serving.class_images import embed_class


@pytest.fixture
def loaded():
    """A model that embeds each image in the same place."""

    def embed(image):
        count = len(image)
        return {"embedding": tf.ones([count, 2]), "valid": tf.ones([count], tf.bool)}

    return SimpleNamespace(signatures={"embed": embed})


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "scratch"
    place.mkdir()
    for name in ("1.png", "2.png"):
        Image.new("RGB", (8, 8), "red").save(place / name)
    return place


def test_images_are_named_by_folder_and_file(loaded, folder):
    found = embed_class(loaded, "scratch", folder)
    assert [image.source for image in found.images] == ["scratch/1.png", "scratch/2.png"]
    assert [row.source for row in found.rows] == [b"scratch/1.png", b"scratch/2.png"]
    np.testing.assert_array_equal(found.rows[0].embedding, [1, 1])


def test_a_name_that_the_model_has_gets_a_number(loaded, folder):
    """Images of one name could not be told apart: one picture for both, both removed at once."""
    found = embed_class(loaded, "scratch", folder, {"scratch/1.png", "scratch/1 (2).png"})
    assert [image.source for image in found.images] == ["scratch/1 (3).png", "scratch/2.png"]
    assert [row.source for row in found.rows] == [b"scratch/1 (3).png", b"scratch/2.png"]
