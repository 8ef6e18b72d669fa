import pytest

from storage.model_versions import complete_versions, newest_version


@pytest.fixture
def base(tmp_path):
    """Two complete versions, and folders that are no complete version."""
    for name in ("9", "10", "not-a-version", "99999999999999999999", ".candidate-1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_bytes(b"")
    (tmp_path / "11").mkdir()
    (tmp_path / "12/variables").mkdir(parents=True)  # its saved_model.pb is yet to be copied
    return tmp_path


def test_the_complete_versions_are_found(base):
    assert complete_versions(base) == {9: str(base / "9"), 10: str(base / "10")}


def test_those_of_an_address_are_the_same(base):
    assert set(complete_versions(f"file://{base}")) == {9, 10}


def test_the_newest_is_the_highest_number_that_is_complete(base):
    assert newest_version(base) == str(base / "10")


@pytest.mark.parametrize("folder", ["11", "nowhere"])
def test_there_is_none(base, folder):
    assert newest_version(base / folder) is None


def test_a_folder_that_cannot_be_listed_is_an_error(base):
    with pytest.raises(OSError, match="nowhere"):
        complete_versions(base / "nowhere")
