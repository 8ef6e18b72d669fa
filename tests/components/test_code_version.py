import pytest

from components import code_version as module
from components.code_version import code_version


@pytest.fixture
def code(tmp_path, monkeypatch):
    (tmp_path / "package" / "below").mkdir(parents=True)
    (tmp_path / "package" / "one.py").write_text("a = 1\n")
    (tmp_path / "package" / "below" / "two.py").write_text("b = 2\n")
    (tmp_path / "other.py").write_text("c = 3\n")
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    return tmp_path


def test_a_change_below_a_folder_changes_it(code):
    before = code_version("package")
    (code / "package" / "below" / "two.py").write_text("b = 3\n")
    assert code_version("package") != before


def test_other_files_do_not(code):
    before = code_version("package")
    (code / "other.py").write_text("c = 4\n")
    (code / "package" / "notes.txt").write_text("not code")
    assert code_version("package") == before


def test_a_new_and_a_renamed_file_change_it(code):
    before = code_version("package")
    (code / "package" / "one.py").rename(code / "package" / "uno.py")
    assert code_version("package") != before


def test_a_missing_file_is_an_error(code):
    with pytest.raises(FileNotFoundError):
        code_version("nowhere.py")


def test_the_real_packages_have_one():
    assert len(code_version("components/transform/preprocessing.py", "records/features.py")) == 16
