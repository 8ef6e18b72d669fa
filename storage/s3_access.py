"""Which store answers for s3://, and whether it lets a run in. Needs boto3, but not TensorFlow.

The standard variables of AWS tell where it is and who asks: AWS_ENDPOINT_URL (of a store other than
Amazon's), AWS_REGION, AWS_ACCESS_KEY_ID, ... (docs/storage.md).
"""

from __future__ import annotations

import importlib.util
import os
import sys
import uuid
from typing import Any

from base.errors import StorageError

SCHEME = "s3"

_SECONDS = 5  # that a store may take to answer at all
_ATTEMPTS = 2

# What TensorFlow's plug-in, or boto3, calls by another name, and by which of AWS's it is known.
_ALSO_CALLED = {
    "S3_ENDPOINT": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "S3_CA_FILE": ("AWS_CA_BUNDLE",),
    "AWS_REGION": ("AWS_DEFAULT_REGION",),
    "AWS_DEFAULT_REGION": ("AWS_REGION",),
}


def tell_all() -> None:
    """Tell each of the libraries in this process, and in those it starts, what one was told."""
    for name, others in _ALSO_CALLED.items():
        value = next((os.environ[other] for other in others if os.environ.get(other)), None)
        if value:
            os.environ.setdefault(name, value)


def check_installed() -> None:
    """Refuse to go on without the plug-ins. Imports neither.

    Raises:
        StorageError: One is not installed.
    """
    if any(importlib.util.find_spec(name) is None for name in ("boto3", "tensorflow_io")):
        raise StorageError(f"s3:// needs plug-ins that are not installed; {mend()}")


def mend() -> str:
    """Where to get the plug-ins."""
    if sys.version_info >= (3, 11):
        return (
            "tensorflow-io has none for the TensorFlow of this Python: use Python 3.10, gs://, or "
            "a mounted volume (docs/storage.md)"
        )
    return "install them: pip install 'siamese-tfx[s3]'"


def check(address: str, write: bool) -> None:
    """Ask the store, within seconds, for what TensorFlow would ask it for minutes.

    Args:
        address: s3://bucket/folder.
        write: Whether it must be possible to write there, too: an empty object is, and is removed.

    Raises:
        StorageError: There is no such bucket, it refuses, or nothing answers.
    """
    check_installed()
    tell_all()
    bucket, _, folder = address.removeprefix(f"{SCHEME}://").partition("/")
    folder = folder.strip("/")
    if not bucket or not folder:
        raise StorageError(
            f"{address}: names no folder; write s3://bucket/folder, since TensorFlow does not take "
            "a bucket for a folder"
        )
    import boto3
    import botocore.exceptions
    from botocore.config import Config

    patience = Config(
        connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"total_max_attempts": _ATTEMPTS}
    )
    try:
        # A session of its own: the default one keeps whom it has found first.
        client = boto3.Session().client(SCHEME, config=patience)
        client.list_objects_v2(Bucket=bucket, Prefix=f"{folder.split('{')[0]}", MaxKeys=1)
        if write:
            probe = f"{folder}/.siamese-{uuid.uuid4().hex}"
            client.put_object(Bucket=bucket, Key=probe)
            client.delete_object(Bucket=bucket, Key=probe)
    except botocore.exceptions.ClientError as e:
        raise StorageError(f"{address}: {_refusal(e, bucket)}") from e
    except botocore.exceptions.NoCredentialsError as e:
        raise StorageError(
            f"{address}: nobody is named to ask for it; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        ) from e
    except (
        botocore.exceptions.BotoCoreError,
        botocore.exceptions.HTTPClientError,
        ValueError,
    ) as e:
        where = os.environ.get("S3_ENDPOINT", "Amazon")
        raise StorageError(
            f"{address}: {where} gives no answer ({e}); set AWS_ENDPOINT_URL to the store's address"
        ) from e


def _refusal(error: Any, bucket: str) -> str:
    told = error.response.get("Error", {})
    code = told.get("Code", "")
    if code == "NoSuchBucket":
        return f"there is no bucket '{bucket}'; make it, or mend its name"
    mends = {
        "AccessDenied": "give the account s3:ListBucket, s3:GetObject, s3:PutObject and "
        "s3:DeleteObject there",
        "InvalidAccessKeyId": "mend AWS_ACCESS_KEY_ID",
        "SignatureDoesNotMatch": "mend AWS_SECRET_ACCESS_KEY",
    }
    return f"refused ({code}: {told.get('Message', '')}); {mends.get(code, 'see docs/storage.md')}"
