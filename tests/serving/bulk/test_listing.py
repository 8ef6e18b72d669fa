import pytest

from base.errors import UserError
from serving.bulk.listing import Listed, list_files


def paths(*places):
    return [one.path for one in list_files([str(place) for place in places])]


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
    assert paths(given, tmp_path) == [
        str(given),
        *(str(tmp_path / name) for name in ("a/deep/er/3.png", "b/1.png", "b/2.png")),
    ]


def test_paths_below_a_folder_are_kept_and_begin_with_it_if_there_are_several(tmp_path):
    for name in ("one/a.png", "two/b/c.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    assert list_files([two]) == [Listed(f"{two}/b/c.png", "b/c.png")]
    assert [each.relative for each in list_files([one, two])] == ["one/a.png", "two/b/c.png"]


def test_a_hidden_folder_that_is_named_is_meant(tmp_path):
    (tmp_path / ".photos").mkdir()
    (tmp_path / ".photos/1.png").touch()
    assert paths(tmp_path / ".photos") == [str(tmp_path / ".photos/1.png")]


def test_an_empty_folder(tmp_path):
    with pytest.raises(UserError, match="there is no file in this folder"):
        paths(tmp_path)


def test_what_is_not_there_is_left_to_the_reader(tmp_path):
    assert paths(tmp_path / "none.png") == [str(tmp_path / "none.png")]
