import pytest

from serving.answers import Classification
from serving.bulk.listing import Listed, list_files
from serving.bulk.sorted_copies import SortedCopies, check_names
from serving.file_batch import FileAnswer


def answer(label, known=True):
    return FileAnswer("f", Classification(label, known, {label: 0.5}, ["a"], True))


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        (answer("dent"), "dent"),
        (answer("dent", known=False), "unknown"),
        (FileAnswer("f", None, "is empty"), "not an image"),
        (answer("unknown"), "unknown (class)"),
        (answer("../x"), ".._x"),
        (answer(".."), ".. (class)"),
    ],
)
def test_a_copy_is_in_the_folder_of_its_class(tmp_path, given, folder):
    (tmp_path / "1.png").write_bytes(b"x")
    copies = SortedCopies(tmp_path / "out", continued=False)
    copies.add(Listed(str(tmp_path / "1.png"), "sub/1.png"), given)
    copies.add(Listed(str(tmp_path / "none.png"), "none.png"), given)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert files == [tmp_path / "out" / folder / "sub/1.png"]


def test_only_an_empty_folder_is_sorted_into(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(ValueError, match="is not an empty folder"):
        SortedCopies(tmp_path, continued=False)
    SortedCopies(tmp_path, continued=True)


def test_files_of_several_folders_keep_their_places(tmp_path):
    for name in ("a/x/1.png", "b/x/1.png", ".hidden/1.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert [each.relative for each in list_files([str(tmp_path)])] == ["a/x/1.png", "b/x/1.png"]
    both = list_files([f"{tmp_path}/a/", f"{tmp_path}/b", f"{tmp_path}/a/x/1.png"])
    assert [each.relative for each in both] == ["a/x/1.png", "b/x/1.png", "1.png"]
    check_names(both)
    with pytest.raises(ValueError, match="would be the same copy"):
        check_names(list_files([f"{tmp_path}/a/x/1.png", f"{tmp_path}/b/x/1.png"]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: there is no file in this folder"):
        list_files([f"{tmp_path}/empty"])
