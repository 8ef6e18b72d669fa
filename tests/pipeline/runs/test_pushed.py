import shutil

import pytest

from base.errors import UserError
from pipeline.runs import pushed
from pipeline.runs.pushed import model_to_serve, newest_model, pushed_version, waits_for_promotion
from serving.version_labels import Labels, labels_file, read_labels, write_labels


def test_the_newest_model_of_a_local_folder_is_served_from_there(tmp_path):
    (tmp_path / "10").mkdir()
    (tmp_path / "10/saved_model.pb").write_bytes(b"")
    assert newest_model(str(tmp_path), tmp_path / "served") == tmp_path / "10"


def test_a_version_is_named_by_its_number_or_label(tmp_path):
    base = str(tmp_path)
    for number in (9, 10):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "saved_model.pb").touch()
    assert pushed_version(base, None, None) == f"{base}/10"
    assert pushed_version(base, 9, None) == f"{base}/9"
    with pytest.raises(UserError, match="no version has the label 'stable'"):
        pushed_version(base, None, "stable")
    write_labels(labels_file(tmp_path), Labels("m", "/m", {"stable": 9}, (9,)))
    assert pushed_version(base, None, "stable") == f"{base}/9"
    with pytest.raises(UserError, match="holds no version 11"):
        pushed_version(base, 11, None)


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_no_model(tmp_path, folder):
    with pytest.raises(ValueError, match="no model has been pushed there"):
        newest_model(str(tmp_path / folder), tmp_path / "served")


def test_a_new_version_is_served_unless_labels_name_others(tmp_path):
    assert waits_for_promotion(tmp_path / "11") is None
    write_labels(labels_file(tmp_path), Labels("m", "/m"))
    assert waits_for_promotion(tmp_path / "11") is None
    write_labels(labels_file(tmp_path), Labels("m", "/m", {"stable": 10}, (9, 10)))
    assert waits_for_promotion(tmp_path / "10") is None
    assert waits_for_promotion(f"{tmp_path}/11") == (
        f"It is not served yet: version 10 is stable. siamese promote {tmp_path} 11"
    )


def test_a_folder_that_was_moved_gets_a_new_file_of_labels_if_it_has_none(tmp_path):
    (tmp_path / "10").mkdir()
    (tmp_path / "10/saved_model.pb").touch()
    write_labels(labels_file(tmp_path), Labels("m", "/before/serving"))
    _, labels = model_to_serve(str(tmp_path), tmp_path / "served", "m")
    assert labels.base_path == str(tmp_path)
    write_labels(labels_file(tmp_path), Labels("m", "/models/m", {"stable": 10}, (10,)))
    _, labels = model_to_serve(str(tmp_path), tmp_path / "served", "m")
    assert labels.base_path == "/models/m"


def test_of_a_bucket_the_stable_version_is_copied(tmp_path, monkeypatch):
    """A folder stands in for the bucket."""
    for number in (10, 11):
        (tmp_path / f"bucket/{number}").mkdir(parents=True)
        (tmp_path / f"bucket/{number}/saved_model.pb").touch()
    bucket = str(tmp_path / "bucket")
    monkeypatch.setattr(pushed, "is_remote", lambda path: str(path).startswith(bucket))
    monkeypatch.setattr(pushed, "download", shutil.copytree)
    (tmp_path / "served").mkdir()
    served = tmp_path / "served"
    assert model_to_serve(bucket, served, "m") == (served / "11", None)
    assert read_labels(labels_file(bucket)) is None  # servers here would not follow it
    write_labels(labels_file(bucket), Labels("m", "/m", {"stable": 10}, (10,)))
    assert model_to_serve(bucket, served, "m") == (served / "10", None)
