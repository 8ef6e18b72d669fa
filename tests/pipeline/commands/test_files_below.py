import pytest

from base.errors import UserError
from pipeline.commands.classify import files_below


def test_folders_give_all_files_below_them_in_order(tmp_path):
    for name in (
        "b/2.png",
        "b/1.png",
        "a/deep/er/3.png",
        ".hidden/4.png",
        "a/.DS_Store",
        "b/Thumbs.db",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    given = tmp_path / "b/2.png"
    assert files_below([given, tmp_path]) == [
        given,
        *(tmp_path / name for name in ("a/deep/er/3.png", "b/1.png", "b/2.png")),
    ]


def test_a_hidden_folder_that_is_named_is_meant(tmp_path):
    (tmp_path / ".photos").mkdir()
    (tmp_path / ".photos/1.png").touch()
    assert files_below([tmp_path / ".photos"]) == [tmp_path / ".photos/1.png"]


def test_an_empty_folder(tmp_path):
    with pytest.raises(UserError, match="there is no file in this folder"):
        files_below([tmp_path])


def test_what_is_not_there_is_left_to_the_reader(tmp_path):
    assert files_below([tmp_path / "none.png"]) == [tmp_path / "none.png"]
