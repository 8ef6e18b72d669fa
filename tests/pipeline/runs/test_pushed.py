import pytest

from pipeline.runs.pushed import newest_model


def test_the_newest_version_is_the_highest_number(tmp_path):
    for name in ("9", "10", "not-a-version"):
        (tmp_path / name).mkdir()
    assert newest_model(str(tmp_path), tmp_path / "served") == tmp_path / "10"


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_no_model(tmp_path, folder):
    with pytest.raises(ValueError, match="no model has been pushed there"):
        newest_model(str(tmp_path / folder), tmp_path / "served")
