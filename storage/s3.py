"""Reads and writes s3:// with boto3, without TensorFlow.

A folder is a prefix that ends with a slash. It exists while an object has that prefix, be it the
empty object of that very name by which consoles mark a folder.
"""

from __future__ import annotations

import fnmatch
import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from base.errors import StorageError
from storage.s3_access import SCHEME, explained, new_client

_AT_ONCE = 16
"""Concurrent requests: a bucket takes milliseconds to answer, but answers many at once."""

_PATTERN = re.compile(r"[*?\[]")


class Status(NamedTuple):
    """An object's size in bytes, and its modification time in nanoseconds, in whole seconds."""

    length: int
    mtime_nsec: int


def read(address: str) -> bytes:
    """Return an object's bytes.

    Raises:
        FileNotFoundError: There is no such object.
        StorageError: The store refuses, or does not answer; so do all functions here.
    """
    with explained(address):
        return _client().get_object(**_named(address))["Body"].read()


def write(address: str, data: bytes) -> None:
    """Write an object, or replace it."""
    with explained(address):
        _client().put_object(**_named(address), Body=data)


def copy(source: str, target: str) -> None:
    """Copy an object to another address.

    Raises:
        FileNotFoundError: There is no such object.
    """
    with explained(source):
        _client().copy(_named(source), *_split(target))


def status(address: str) -> Status:
    """Return an object's size and modification time.

    Raises:
        FileNotFoundError: There is no such object.
    """
    with explained(address):
        head = _client().head_object(**_named(address))
    return Status(head["ContentLength"], int(head["LastModified"].timestamp() * 1e9))


def exists(address: str) -> bool:
    """Return whether there is an object or a folder of this address."""
    return is_folder(address) or _is_object(address)


def is_folder(address: str) -> bool:
    """Return whether there is a folder of this address."""
    bucket, prefix = _folder(address)
    with explained(address):
        return _client().list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)["KeyCount"] > 0


def list_folder(address: str) -> tuple[list[str], list[str]]:
    """Return the names of the folders and of the files in a folder, sorted."""
    bucket, prefix = _folder(address)
    folders: list[str] = []
    files: list[str] = []
    with explained(address):
        for page in _pages(bucket, prefix, Delimiter="/"):
            folders += [one["Prefix"] for one in page.get("CommonPrefixes", ())]
            files += [one["Key"] for one in page.get("Contents", ())]
    names = ([one[len(prefix) :].rstrip("/") for one in found] for found in (folders, files))
    one, other = (sorted(filter(None, found)) for found in names)  # "" is the folder's own marker
    return one, other


def glob(pattern: str) -> list[str]:
    """Return the addresses of objects and folders that match a pattern, as `glob.glob`, sorted."""
    bucket, key = _split(pattern)
    found = [f"{SCHEME}://{bucket}"]
    for part in key.split("/"):
        if _PATTERN.search(part):
            found = [
                f"{place}/{name}"
                for place in found
                for names in list_folder(place)
                for name in names
                if fnmatch.fnmatchcase(name, part)
            ]
        else:
            found = [f"{place}/{part}" for place in found]
    return sorted(filter(exists, found))


def delete(address: str) -> None:
    """Delete an object, or a folder with all that is in it; there may be neither.

    Raises:
        StorageError: It is a bucket as a whole.
    """
    bucket, key = _split(address)
    if not key.strip("/"):
        raise StorageError(f"{address}: a bucket is not deleted; name a folder in it")
    with explained(address):
        # One by one: a request for many needs a checksum that not all stores know.
        _at_once(
            lambda key: _client().delete_object(Bucket=bucket, Key=key), [key, *_keys(address)]
        )


def download(address: str, target: str) -> None:
    """Copy an object, or a folder with all that is in it, to a local path.

    Raises:
        FileNotFoundError: There is neither.
        StorageError: An object's name would leave the local folder.
    """
    bucket, prefix = _folder(address)
    with explained(address):
        keys = _keys(address)
        if not keys:
            _fetch(*_split(address), target)
            return
        os.makedirs(target, exist_ok=True)
        names = [key[len(prefix) :] for key in keys if not key.endswith("/")]
        if odd := next((name for name in names if ".." in name.split("/")), None):
            raise StorageError(f"{address}: the object {odd!r} has no name of a file; rename it")
        _at_once(
            lambda name: _fetch(bucket, prefix + name, os.path.join(target, name.lstrip("/"))),
            names,
        )


def upload(source: str, address: str) -> None:
    """Copy a local file, or a folder with all that is in it, to an address."""
    bucket, key = _split(address)
    pairs = [(source, key)]
    if os.path.isdir(source):
        paths = [os.path.join(place, name) for place, _, names in os.walk(source) for name in names]
        pairs = [(path, _folder(address)[1] + os.path.relpath(path, source)) for path in paths]
    with explained(address):
        _at_once(lambda one: _client().upload_file(one[0], bucket, one[1], Config=_plain()), pairs)


def _fetch(bucket: str, key: str, target: str) -> None:
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    _client().download_file(bucket, key, target, Config=_plain())


def _at_once(function: Callable[[Any], Any], items: Iterable[Any]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(function, items):
            pass


def _is_object(address: str) -> bool:
    try:
        status(address)
        return True
    except FileNotFoundError:
        return False


def _pages(bucket: str, prefix: str, **options: Any) -> Iterator[dict[str, Any]]:
    pages = _client().get_paginator("list_objects_v2")
    return iter(pages.paginate(Bucket=bucket, Prefix=prefix, **options))


def _keys(folder: str) -> list[str]:
    pages = _pages(*_folder(folder))
    return [one["Key"] for page in pages for one in page.get("Contents", ())]


def _split(address: str) -> tuple[str, str]:
    bucket, _, key = address.removeprefix(f"{SCHEME}://").partition("/")
    return bucket, key


def _folder(address: str) -> tuple[str, str]:
    """Return a folder's bucket, and the prefix of the objects in it."""
    bucket, key = _split(address)
    return bucket, f"{key.rstrip('/')}/" if key else ""


def _named(address: str) -> dict[str, str]:
    return dict(zip(("Bucket", "Key"), _split(address), strict=True))


def _plain() -> Any:
    """Return the configuration of a transfer that starts no threads of its own."""
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(use_threads=False)


@functools.cache
def _client() -> Any:
    return new_client(max_pool_connections=2 * _AT_ONCE, retries={"mode": "standard"})
