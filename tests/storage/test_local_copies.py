import json
import tempfile
from pathlib import Path

import pytest
from s3 import Bucket, use_here

from base.errors import StorageError
from storage.local_copies import local_copy, local_folders, tensorflow_path, with_addresses

B = "s3://bucket"


@pytest.fixture
def bucket(s3_variables, monkeypatch, tmp_path):
    """A bucket with a folder `in`; temporary files go to `tmp`."""
    use_here(s3_variables, monkeypatch, tmp_path)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    made = Bucket("bucket", s3_variables)
    made.delete_all()
    made.put("in/sub/x.h5", b"x")
    yield made
    assert not list((tmp_path / "tmp").iterdir())


def test_a_local_file_is_its_own_copy(tmp_path):
    (tmp_path / "x").touch()
    with local_copy(str(tmp_path / "x")) as path:
        assert path == str(tmp_path / "x")
    with pytest.raises(FileNotFoundError), local_copy(str(tmp_path / "y")):
        pass


@pytest.mark.parametrize("opened", [local_copy, tensorflow_path])
def test_what_is_in_a_bucket_is_copied_here(bucket, opened):
    with opened(f"{B}/in/sub/x.h5") as path:
        assert Path(path).read_bytes() == b"x"
        assert path.endswith(".h5")
    assert not Path(path).exists()
    with opened(f"{B}/in") as path:
        assert Path(path, "sub/x.h5").read_bytes() == b"x"
    with pytest.raises(FileNotFoundError), opened(f"{B}/none"):
        pass


@pytest.mark.parametrize("path", ["gs://bucket/x", "/data/x"])
def test_tensorflow_reads_others_itself(path):
    with tensorflow_path(path) as same:
        assert same == path


def test_folders_are_downloaded_and_uploaded(bucket):
    with local_folders([f"{B}/in", f"{B}/none", f"{B}/in"], [f"{B}/out/"]) as folders:
        assert Path(folders[f"{B}/in"], "sub/x.h5").read_bytes() == b"x"
        assert not list(Path(folders[f"{B}/none"]).iterdir())
        origin = {"model": folders[f"{B}/in"] + "/sub", "next": folders[f"{B}/out/"]}
        Path(folders[f"{B}/out/"], "below").mkdir()
        Path(folders[f"{B}/out/"], "below/it.json").write_text(json.dumps(origin))
        Path(folders[f"{B}/in"], "new").touch()
        assert with_addresses(origin["model"]) == f"{B}/in/sub"
    assert bucket.keys() == ["in/sub/x.h5", "out/below/it.json"]
    told = json.loads(bucket.get("out/below/it.json"))
    assert told == {"model": f"{B}/in/sub", "next": f"{B}/out"}
    assert with_addresses(origin["model"]) == origin["model"]


def test_a_failure_uploads_nothing(bucket):
    def fail(folder):
        Path(folder, "half").touch()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), local_folders([], [f"{B}/out"]) as folders:
        fail(folders[f"{B}/out"])
    assert bucket.keys() == ["in/sub/x.h5"]


def test_a_failed_upload_is_an_error(bucket):
    with (
        pytest.raises(StorageError, match="s3://gone/out: there is no bucket 'gone'"),
        local_folders([], ["s3://gone/out"]) as folders,
    ):
        Path(folders["s3://gone/out"], "x").touch()
