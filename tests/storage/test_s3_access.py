import socket

import pytest
from botocore.exceptions import ClientError
from s3 import Bucket, s3_server, use_here

from base.errors import StorageError
from storage import s3_access


@pytest.fixture(scope="module")
def store():
    with s3_server() as variables:
        yield variables, Bucket("there", variables)


@pytest.fixture
def bucket(store, monkeypatch, tmp_path):
    """The bucket; what this machine knows of AWS is forgotten."""
    variables, made = store
    use_here(variables, monkeypatch, tmp_path)
    return made


def test_a_bucket_that_is_there(bucket):
    s3_access.check("s3://there/images/span-{SPAN}", write=False)
    s3_access.check("s3://there/models", write=True)
    assert bucket.keys() == []


def test_the_region_has_two_names(bucket, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert s3_access.new_client().meta.region_name == "eu-central-1"
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert s3_access.new_client().meta.region_name == "eu-west-1"


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


@pytest.mark.parametrize("address", ["http://", "no address"])
def test_an_endpoint_that_is_no_address(bucket, monkeypatch, address):
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    with pytest.raises(StorageError, match="set AWS_ENDPOINT_URL to the store's address"):
        s3_access.check("s3://there/x", write=False)


def test_a_name_that_no_bucket_has(bucket):
    with pytest.raises(StorageError, match="Invalid bucket name"):
        s3_access.check("s3://the re/x", write=False)


def test_access_that_is_refused():
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")
    with pytest.raises(StorageError, match=r"s3://b/x: refused \(AccessDenied: no\); grant"):  # noqa: SIM117
        with s3_access.explained("s3://b/x"):
            raise error


def test_other_errors_stay_as_they_are():
    with pytest.raises(KeyError), s3_access.explained("s3://b/x"):
        raise KeyError("x")


def test_boto3_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(s3_access.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(StorageError, match=r"install it: pip install 'siamese-tfx\[s3\]'"):
        s3_access.check("s3://there/x", write=False)
