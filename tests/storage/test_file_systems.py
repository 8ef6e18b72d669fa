from pathlib import Path

import pytest

from storage.file_systems import beam_arguments, is_remote, load_plugins, open_file


@pytest.mark.parametrize("path", ["gs://b/x", "s3://b/x", Path("s3://b/x"), "hdfs://host/x"])
def test_addresses(path):
    assert is_remote(path)


@pytest.mark.parametrize("path", ["runs", "/data/x", Path("./x"), "C:/x", "a:b", "dir/s3://x"])
def test_local_paths(path):
    assert not is_remote(path)


def test_beams_workers_load_what_the_addresses_need():
    assert beam_arguments("/data", "s3://b/x") == ["--beam_plugin=storage.s3"]
    assert beam_arguments("/data", "gs://b/x") == []


def test_local_paths_need_no_plugin():
    load_plugins("/data", "gs://b/x")


def test_text_of_a_local_file(tmp_path):
    with open_file(str(tmp_path / "x"), "w") as file:
        file.write("ä\n")
    with open_file(str(tmp_path / "x")) as file:
        assert file.read() == "ä\n"
    with pytest.raises(FileNotFoundError):
        open_file(str(tmp_path / "y"))
