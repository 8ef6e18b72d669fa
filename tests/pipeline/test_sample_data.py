import cv2
import pytest
from command_line import siamese

from pipeline.sample_data import SampleDataError, write_digits

ONE = ("--per-class", "1")


def files(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file())


def test_a_folder_per_class_of_readable_images(tmp_path):
    assert write_digits(tmp_path / "digits", per_class=3, size=20) == (30, 0)
    assert sorted(p.name for p in (tmp_path / "digits").iterdir()) == list("0123456789")
    for path in files(tmp_path):
        assert cv2.imread(str(path)).shape == (20, 20, 3)


def test_a_second_time_touches_nothing(tmp_path):
    write_digits(tmp_path, per_class=2)
    before = {p: p.stat().st_mtime_ns for p in files(tmp_path)}
    assert write_digits(tmp_path, per_class=2) == (0, 20)
    assert {p: p.stat().st_mtime_ns for p in files(tmp_path)} == before


def test_what_was_changed_is_restored(tmp_path):
    write_digits(tmp_path, per_class=2)
    (tmp_path / "3" / "001.png").write_bytes(b"")
    assert write_digits(tmp_path, per_class=2) == (1, 19)


def test_other_files_are_not_mixed_with(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(SampleDataError, match=r"holds other files, such as thesis\.txt"):
        write_digits(tmp_path)
    assert files(tmp_path) == [tmp_path / "thesis.txt"]
    assert write_digits(tmp_path, per_class=1, force=True) == (10, 0)
    with pytest.raises(SampleDataError, match="is a file; name a folder"):
        write_digits(tmp_path / "thesis.txt")


def test_the_command_says_what_it_wrote(tmp_path):
    assert "wrote 10 images of 10 classes." in siamese("sample-data", tmp_path, *ONE).stdout
    assert "(10 existed already)" in siamese("sample-data", tmp_path, *ONE).stdout
