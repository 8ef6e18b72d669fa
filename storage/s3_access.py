"""Checks that s3:// addresses can be read and written. Needs boto3, but not TensorFlow.

The standard variables of AWS give the store's address and the credentials: AWS_ENDPOINT_URL (of a
store other than Amazon's), AWS_REGION, AWS_ACCESS_KEY_ID, ... (docs/storage.md).
"""

from __future__ import annotations

import importlib.util
import os
import sys
import uuid
from typing import Any

from base.errors import StorageError

SCHEME = "s3"

_TIMEOUT_S = 5
_ATTEMPTS = 2

# Names that TensorFlow's plug-in or boto3 use, and AWS's names for the same.
_ALIASES = {
    "S3_ENDPOINT": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "S3_CA_FILE": ("AWS_CA_BUNDLE",),
    "AWS_REGION": ("AWS_DEFAULT_REGION",),
    "AWS_DEFAULT_REGION": ("AWS_REGION",),
}


def set_aliases() -> None:
    """Set each library's variables from the others', in this process and in those it starts."""
    for name, others in _ALIASES.items():
        value = next((os.environ[other] for other in others if os.environ.get(other)), None)
        if value:
            os.environ.setdefault(name, value)


def check_installed() -> None:
    """Refuse to continue without the plug-ins. Imports neither.

    Raises:
        StorageError: One is not installed.
    """
    if any(importlib.util.find_spec(name) is None for name in ("boto3", "tensorflow_io")):
        raise StorageError(f"s3:// needs plug-ins that are not installed; {how_to_install()}")


def how_to_install() -> str:
    """Return how to get the plug-ins."""
    if sys.version_info >= (3, 11):
        return (
            "tensorflow-io has no release for the TensorFlow of this Python: use Python 3.10, "
            "gs://, or a mounted volume (docs/storage.md)"
        )
    return "install them: pip install 'siamese-tfx[s3]'"


def check(address: str, write: bool) -> None:
    """Check an address within seconds; TensorFlow would retry for minutes.

    Args:
        address: s3://bucket/folder.
        write: Whether to check writing too, with an empty object that is removed again.

    Raises:
        StorageError: There is no such bucket, access is denied, or the store does not answer.
    """
    check_installed()
    set_aliases()
    bucket, _, folder = address.removeprefix(f"{SCHEME}://").partition("/")
    folder = folder.strip("/")
    if not bucket or not folder:
        raise StorageError(
            f"{address}: names no folder; write s3://bucket/folder, TensorFlow does not "
            "treat a bucket as a folder"
        )
    import boto3
    import botocore.exceptions
    from botocore.config import Config

    config = Config(
        connect_timeout=_TIMEOUT_S,
        read_timeout=_TIMEOUT_S,
        retries={"total_max_attempts": _ATTEMPTS},
    )
    try:
        # A new session: the default one keeps the credentials that it found first.
        client = boto3.Session().client(SCHEME, config=config)
        client.list_objects_v2(Bucket=bucket, Prefix=f"{folder.split('{')[0]}", MaxKeys=1)
        if write:
            probe = f"{folder}/.siamese-{uuid.uuid4().hex}"
            client.put_object(Bucket=bucket, Key=probe)
            client.delete_object(Bucket=bucket, Key=probe)
    except botocore.exceptions.ClientError as e:
        raise StorageError(f"{address}: {_refusal(e, bucket)}") from e
    except botocore.exceptions.NoCredentialsError as e:
        raise StorageError(
            f"{address}: there are no credentials; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        ) from e
    except (
        botocore.exceptions.BotoCoreError,
        botocore.exceptions.HTTPClientError,
        ValueError,
    ) as e:
        where = os.environ.get("S3_ENDPOINT", "Amazon")
        raise StorageError(
            f"{address}: {where} does not answer ({e}); set AWS_ENDPOINT_URL to the store's address"
        ) from e


def _refusal(error: Any, bucket: str) -> str:
    details = error.response.get("Error", {})
    code = details.get("Code", "")
    if code == "NoSuchBucket":
        return f"there is no bucket '{bucket}'; create it, or fix its name"
    fixes = {
        "AccessDenied": "grant the account s3:ListBucket, s3:GetObject, s3:PutObject and "
        "s3:DeleteObject there",
        "InvalidAccessKeyId": "fix AWS_ACCESS_KEY_ID",
        "SignatureDoesNotMatch": "fix AWS_SECRET_ACCESS_KEY",
    }
    return (
        f"refused ({code}: {details.get('Message', '')}); {fixes.get(code, 'see docs/storage.md')}"
    )
