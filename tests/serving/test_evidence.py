import pytest
from sample_images import encoded, picture

from serving.answers import Classification
from serving.client import ImageError
from serving.evidence import evidence


def answer(*nearest):
    return Classification("a", True, {"a": 0.5}, [*nearest], True)


def test_pictures_of_the_nearest_support_images(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.png").write_bytes(encoded(picture(0, 0)))
    [found] = evidence(answer("a/1.png"), tmp_path)
    assert found.name == "a/1.png"
    assert found.picture.tobytes() == picture(0, 0).tobytes()


@pytest.mark.parametrize("name", ["../1.png", "/etc/passwd", "a/../../1.png"])
def test_only_images_of_the_folder(tmp_path, name):
    with pytest.raises(ImageError, match="outside of"):
        evidence(answer(name), tmp_path)


def test_another_folder_is_told(tmp_path):
    with pytest.raises(ImageError, match=r"cannot be read.*folder of the model's training images"):
        evidence(answer("a/1.png"), tmp_path)
