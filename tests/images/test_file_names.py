import os

import pytest

from images.file_names import files_below, is_ignored


@pytest.mark.parametrize("name", [".DS_Store", ".hidden", "Thumbs.db", "thumbs.db", "desktop.ini"])
def test_hidden_files_and_those_of_windows_are_ignored(name):
    assert is_ignored(name)


@pytest.mark.parametrize("name", ["1.jpg", "notes.txt", "Thumbs.db.png", "a.hidden"])
def test_others_are_not(name):
    assert not is_ignored(name)


def test_files_in_all_sub_folders_are_found(tmp_path):
    for name in ("b/2.png", "b/Thumbs.db", "a/deep/er/3", ".cache/4.png", "a/.hidden.png", "5.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = sorted(os.path.relpath(path, tmp_path) for path in files_below(str(tmp_path)))
    assert found == ["5.png", "a/deep/er/3", "b/2.png"]
    assert not list(files_below(str(tmp_path / "none")))
