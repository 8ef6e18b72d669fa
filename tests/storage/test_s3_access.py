import socket

import pytest
from s3 import Bucket, s3_server

from base.errors import StorageError
from storage import s3_access

pytest.importorskip("boto3", reason="boto3 is for tensorflow-io, which this stack has not")


@pytest.fixture(scope="module")
def store():
    with s3_server() as variables:
        yield variables, Bucket("there", variables)


@pytest.fixture
def bucket(store, monkeypatch, tmp_path):
    """The bucket; what this machine knows of AWS is forgotten."""
    variables, made = store
    for name in (*s3_access._ALIASES, "AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(s3_access, "check_installed", lambda: None)
    return made


def test_a_bucket_that_is_there(bucket):
    s3_access.check("s3://there/images/span-{SPAN}", write=False)
    s3_access.check("s3://there/models", write=True)
    assert bucket.keys() == []


def test_one_address_is_told_to_both_libraries(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://first:1")
    s3_access.set_aliases()
    assert s3_access.os.environ["S3_ENDPOINT"] == "http://first:1"
    assert s3_access.os.environ["AWS_DEFAULT_REGION"] == "us-east-1"


def test_no_such_bucket(bucket):
    with pytest.raises(StorageError, match=r"s3://gone/x: there is no bucket 'gone'; create it"):
        s3_access.check("s3://gone/x", write=False)


@pytest.mark.parametrize("address", ["s3://there", "s3://there/", "s3:///x"])
def test_a_bucket_alone(bucket, address):
    with pytest.raises(StorageError, match="names no folder; write s3://bucket/folder"):
        s3_access.check(address, write=False)


def test_nobody_asks(bucket, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StorageError, match="there are no credentials; set AWS_ACCESS_KEY_ID"):
        s3_access.check("s3://there/x", write=False)


def test_nothing_answers(bucket, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(StorageError, match=rf"{address} does not answer .*AWS_ENDPOINT_URL"):
            s3_access.check("s3://there/x", write=False)


def test_plugins_that_are_not_installed(monkeypatch):
    monkeypatch.setattr(s3_access.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(s3_access.sys, "version_info", (3, 10, 1))
    with pytest.raises(StorageError, match=r"install them: pip install 'siamese-tfx\[s3\]'"):
        s3_access.check_installed()
    monkeypatch.setattr(s3_access.sys, "version_info", (3, 12, 1))
    with pytest.raises(StorageError, match=r"use Python 3\.10, gs://, or a mounted volume"):
        s3_access.check_installed()
