import pytest
from s3 import Bucket, use_here

from base.errors import StorageError
from storage import file_systems, s3

B = "s3://bucket"


@pytest.fixture
def bucket(s3_variables, monkeypatch, tmp_path):
    """An empty bucket."""
    use_here(s3_variables, monkeypatch, tmp_path)
    made = Bucket("bucket", s3_variables)
    made.delete_all()
    return made


def test_a_file_is_written_and_read(bucket):
    with file_systems.open_file(f"{B}/a/ä.txt", "w") as file:
        file.write("ö\n")
    assert bucket.get("a/ä.txt") == "ö\n".encode()
    with file_systems.open_file(f"{B}/a/ä.txt") as file:
        assert file.read() == "ö\n"
    with file_systems.open_file(f"{B}/a/ä.txt", "rb") as file:
        assert file.read() == "ö\n".encode()


def test_what_does_not_exist(bucket):
    with pytest.raises(FileNotFoundError, match="s3://bucket/none"):
        s3.read(f"{B}/none")
    with pytest.raises(FileNotFoundError):
        s3.status(f"{B}/none")
    assert not s3.exists(f"{B}/none")
    assert s3.list_folder(f"{B}/none") == ([], [])
    with pytest.raises(StorageError, match="there is no bucket 'gone'"):
        s3.read("s3://gone/none")


def test_a_folder_is_a_prefix(bucket):
    for key in ("f/", "f/x.txt", "f/sub/y.txt", "f/marked/", "file.txt"):
        bucket.put(key, b"1")
    assert s3.list_folder(f"{B}/f") == s3.list_folder(f"{B}/f/") == (["marked", "sub"], ["x.txt"])
    assert [s3.is_folder(f"{B}/{name}") for name in ("f", "f/sub", "f/marked", "fi", "file.txt")] \
        == [True, True, True, False, False]  # fmt: skip
    assert list(file_systems.walk(f"{B}/f")) == [
        (f"{B}/f", ["marked", "sub"], ["x.txt"]),
        (f"{B}/f/marked", [], []),
        (f"{B}/f/sub", [], ["y.txt"]),
    ]


def test_patterns(bucket):
    for key in ("run/Judge/1/out/x.json", "run/Judge/22/out/x.json", "run/Judge/3/none", "run/x"):
        bucket.put(key, b"1")
    assert s3.glob(f"{B}/run/Judge/*/out/x.json") == [
        f"{B}/run/Judge/{number}/out/x.json" for number in (1, 22)
    ]
    assert s3.glob(f"{B}/run/Judge/[13]") == [f"{B}/run/Judge/1", f"{B}/run/Judge/3"]
    assert s3.glob(f"{B}/run/x") == [f"{B}/run/x"]


def test_copies_of_folders_and_files(bucket, tmp_path):
    (tmp_path / "up/sub").mkdir(parents=True)
    (tmp_path / "up/x").write_bytes(b"x")
    (tmp_path / "up/sub/empty").touch()
    s3.upload(str(tmp_path / "up"), f"{B}/there/")
    assert bucket.keys() == ["there/sub/empty", "there/x"]
    bucket.put("there/", b"")
    s3.copy(f"{B}/there/x", f"{B}/there/sub/x")
    s3.download(f"{B}/there", str(tmp_path / "down"))
    found = sorted(str(p.relative_to(tmp_path / "down")) for p in (tmp_path / "down").rglob("*"))
    assert found == ["sub", "sub/empty", "sub/x", "x"]
    s3.download(f"{B}/there/x", str(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == b"x"
    with pytest.raises(FileNotFoundError):
        s3.download(f"{B}/none", str(tmp_path / "none"))


def test_no_object_leaves_the_local_folder(bucket, tmp_path):
    bucket.put("odd/../../x", b"x")
    with pytest.raises(StorageError, match=r"the object '\.\./\.\./x' has no name of a file"):
        s3.download(f"{B}/odd", str(tmp_path / "down"))


def test_a_failed_upload_names_the_address(bucket, tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(StorageError, match="s3://gone/x: there is no bucket 'gone'"):
        s3.upload(str(tmp_path / "x"), "s3://gone/x")


def test_a_folder_is_deleted_with_all_in_it(bucket):
    for key in ("f/", "f/x", "f/sub/y", "f2"):
        bucket.put(key, b"1")
    s3.delete(f"{B}/f")
    assert bucket.keys() == ["f2"]
    s3.delete(f"{B}/none")
    for whole in (B, f"{B}/"):
        with pytest.raises(StorageError, match="a bucket is not deleted"):
            s3.delete(whole)
    assert bucket.keys() == ["f2"]
