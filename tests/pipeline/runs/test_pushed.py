import pytest

from pipeline.runs.pushed import newest_model


def test_the_newest_model_of_a_local_folder_is_served_from_there(tmp_path):
    (tmp_path / "10").mkdir()
    (tmp_path / "10/saved_model.pb").write_bytes(b"")
    assert newest_model(str(tmp_path), tmp_path / "served") == tmp_path / "10"


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_no_model(tmp_path, folder):
    with pytest.raises(ValueError, match="no model has been pushed there"):
        newest_model(str(tmp_path / folder), tmp_path / "served")
