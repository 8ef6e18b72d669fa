from pathlib import Path

import pytest

from storage.file_systems import download, glob, is_remote, is_s3, open_file


@pytest.mark.parametrize("path", ["gs://b/x", "s3://b/x", Path("s3://b/x"), "hdfs://host/x"])
def test_addresses(path):
    assert is_remote(path)


@pytest.mark.parametrize("path", ["runs", "/data/x", Path("./x"), "C:/x", "a:b", "dir/s3://x"])
def test_local_paths(path):
    assert not is_remote(path)


def test_s3_is_told_from_other_addresses():
    assert is_s3("s3://b/x")
    assert not any(map(is_s3, ("/data/s3://b/x", "gs://b/x", "s3")))


def test_patterns_of_local_and_other_paths(tmp_path):
    for name in ("b", "a"):
        (tmp_path / f"{name}.txt").touch()
    found = [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]
    assert glob(f"{tmp_path}/*.txt") == found
    assert glob(f"file://{tmp_path}/*.txt") == [f"file://{path}" for path in found]


def test_a_folder_of_another_file_system_is_copied_here(tmp_path):
    (tmp_path / "from/below").mkdir(parents=True)
    (tmp_path / "from/below/x").write_text("x")
    download(f"file://{tmp_path}/from", str(tmp_path / "to"))
    assert (tmp_path / "to/below/x").read_text() == "x"


def test_text_of_a_local_file(tmp_path):
    with open_file(str(tmp_path / "x"), "w") as file:
        file.write("ä\n")
    with open_file(str(tmp_path / "x")) as file:
        assert file.read() == "ä\n"
    with pytest.raises(FileNotFoundError):
        open_file(str(tmp_path / "y"))
