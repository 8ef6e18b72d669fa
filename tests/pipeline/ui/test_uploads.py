import pytest
from sample_images import encoded, picture

from pipeline.ui import uploads as module
from pipeline.ui.uploads import Uploads, file_name
from serving.query_image import ImageError


def test_the_oldest_go_first(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MOST_FILES", 2)
    uploads = Uploads(tmp_path)
    first, second = (uploads.add(encoded(picture(0, n)), "x") for n in range(2))
    uploads.read(first.id)  # and so is younger
    uploads.add(encoded(picture(0, 2)), "x")
    assert uploads.read(first.id) == encoded(picture(0, 0))
    with pytest.raises(ImageError, match="drop it once more"):
        uploads.read(second.id)
    assert len([*tmp_path.iterdir()]) == 2


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("C:\\photos\\a b.png", "a b.png"),
        ("../../.ssh", "ssh"),
        ("a\n\x1bb\u202e.png", "ab.png"),
        ("..", "image"),
        ("", "image"),
        ("<b>", "<b>"),
    ],
)
def test_file_names(given, name):
    assert file_name(given) == name
