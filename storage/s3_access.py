"""Connects to s3://, explains its errors, and checks addresses. Needs boto3, but not TensorFlow.

The standard variables of AWS give the store's address and the credentials: AWS_ENDPOINT_URL (of a
store other than Amazon's), AWS_REGION, AWS_ACCESS_KEY_ID, ... (docs/storage.md).
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import uuid
from collections.abc import Iterator
from typing import Any

from base.errors import StorageError

SCHEME = "s3"

_TIMEOUT_S = 5
_ATTEMPTS = 2
_NO_OBJECT = ("404", "NoSuchKey")


def new_client(**options: Any) -> Any:
    """Return a new client of boto3.

    Args:
        options: Of `botocore.config.Config`.

    Raises:
        StorageError: boto3 is not installed.
    """
    if importlib.util.find_spec("boto3") is None:
        raise StorageError("s3:// needs boto3; install it: pip install 'siamese-tfx[s3]'")
    import boto3
    from botocore.config import Config

    config = Config(
        # Older releases of stores such as MinIO do not know the checksums that are sent by default.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        **options,
    )
    # A new session: the default one keeps the credentials that it found first, and does not read
    # AWS_REGION, the name that AWS's other libraries use.
    session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
    return session.client(SCHEME, config=config)


@contextlib.contextmanager
def explained(address: str) -> Iterator[None]:
    """Raise errors of boto3 in the context as errors that name an address and the fix.

    Raises:
        FileNotFoundError: There is no such object.
        StorageError: There is no such bucket, access is denied, or the store does not answer.
    """
    try:
        yield
    except Exception as e:
        explanation = _explanation(e, address)
        if explanation is None:
            raise
        raise explanation from e


def check(address: str, write: bool) -> None:
    """Check an address within seconds; reading and writing would retry for longer.

    Args:
        address: s3://bucket/folder.
        write: Whether to check writing too, with an empty object that is removed again.

    Raises:
        StorageError: There is no such bucket, access is denied, or the store does not answer.
    """
    bucket, _, folder = address.removeprefix(f"{SCHEME}://").partition("/")
    folder = folder.strip("/")
    if not bucket or not folder:
        raise StorageError(f"{address}: names no folder; write s3://bucket/folder")
    with explained(address):
        client = new_client(
            connect_timeout=_TIMEOUT_S,
            read_timeout=_TIMEOUT_S,
            retries={"total_max_attempts": _ATTEMPTS},
        )
        client.list_objects_v2(Bucket=bucket, Prefix=f"{folder.split('{')[0]}", MaxKeys=1)
        if write:
            probe = f"{folder}/.siamese-{uuid.uuid4().hex}"
            client.put_object(Bucket=bucket, Key=probe)
            client.delete_object(Bucket=bucket, Key=probe)


def _explanation(error: BaseException, address: str) -> Exception | None:
    import boto3.exceptions
    import botocore.exceptions

    if isinstance(error, boto3.exceptions.S3UploadFailedError) and error.__context__:
        error = error.__context__
    if isinstance(error, botocore.exceptions.ClientError):
        if error.response.get("Error", {}).get("Code", "") in _NO_OBJECT:
            return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), address)
        return StorageError(f"{address}: {_refusal(error, address)}")
    if isinstance(error, botocore.exceptions.NoCredentialsError):
        return StorageError(
            f"{address}: there are no credentials; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
    if isinstance(error, botocore.exceptions.ParamValidationError):
        return StorageError(f"{address}: {error}")
    invalid_endpoint = isinstance(error, ValueError) and not isinstance(error, StorageError)
    ours = (botocore.exceptions.BotoCoreError, boto3.exceptions.Boto3Error)
    if not invalid_endpoint and not isinstance(error, ours):
        return None
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    store = next((os.environ[name] for name in names if os.environ.get(name)), "Amazon")
    return StorageError(
        f"{address}: {store} does not answer ({error}); set AWS_ENDPOINT_URL to the store's address"
    )


def _refusal(error: Any, address: str) -> str:
    details = error.response.get("Error", {})
    code = details.get("Code", "")
    if code == "NoSuchBucket":
        bucket = address.removeprefix(f"{SCHEME}://").partition("/")[0]
        return f"there is no bucket '{bucket}'; create it, or fix its name"
    rights = "grant the account s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject there"
    fixes = {
        "AccessDenied": rights,
        "403": rights,  # an answer without a body
        "InvalidAccessKeyId": "fix AWS_ACCESS_KEY_ID",
        "SignatureDoesNotMatch": "fix AWS_SECRET_ACCESS_KEY",
        "ExpiredToken": "renew the credentials",
    }
    return (
        f"refused ({code}: {details.get('Message', '')}); {fixes.get(code, 'see docs/storage.md')}"
    )
