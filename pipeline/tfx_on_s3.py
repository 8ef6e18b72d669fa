"""Lets TFX run on s3://, which the TensorFlow in its executors does not read.

TFX's own file operations (the launcher, the Pusher) get a file system. An executor, whose artifacts
TensorFlow and Beam read and write, works on local copies: its inputs are downloaded before it, its
outputs uploaded after it.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from tfx.dsl.io.filesystem import Filesystem
from tfx.dsl.io.filesystem_registry import DEFAULT_FILESYSTEM_REGISTRY

from storage import file_systems, s3
from storage.file_systems import is_s3
from storage.local_copies import local_folders, with_addresses

_BEFORE_TENSORFLOW = 0  # a smaller number comes first


def enable(executors: Iterable[type]) -> None:
    """Let this process run executors whose artifacts may be on s3://.

    `Do` itself is wrapped, and so the addresses are back before anything records an artifact.
    """
    DEFAULT_FILESYSTEM_REGISTRY.register(S3Filesystem, priority=_BEFORE_TENSORFLOW)
    for executor in executors:
        executor.Do = on_local_copies(executor.Do)  # type: ignore[attr-defined]


def on_local_copies(do: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an executor's `Do`: artifacts on s3:// are local folders while it runs."""

    @functools.wraps(do)
    def wrapped(self: Any, input_dict: Any, output_dict: Any, exec_properties: Any) -> Any:
        inputs, outputs = _on_s3(input_dict), _on_s3(output_dict)
        if not inputs and not outputs:
            return do(self, input_dict, output_dict, exec_properties)
        with local_folders([a.uri for a in inputs], [a.uri for a in outputs]) as folders:
            _use_local_temporary_folder(self, folders)
            for artifact in (*inputs, *outputs):
                artifact.uri = folders[artifact.uri]
            addresses = {folder: address for address, folder in folders.items()}
            returned = None
            try:
                returned = do(self, input_dict, output_dict, exec_properties)
            finally:
                # Some executors replace their outputs by copies, or return copies.
                for artifact in (*inputs, *outputs, *_all(output_dict)):
                    _restore(artifact.mlmd_artifact, addresses)
                for several in returned.output_artifacts.values() if returned else ():
                    for message in several.artifacts:
                        _restore(message, addresses)
            return returned

    return wrapped


def _on_s3(artifacts: dict[str, list[Any]] | None) -> list[Any]:
    """Return the artifacts on s3://, each once."""
    found = (artifact for artifact in _all(artifacts) if is_s3(artifact.uri))
    return list({id(artifact): artifact for artifact in found}.values())


def _all(artifacts: dict[str, list[Any]] | None) -> Iterator[Any]:
    return itertools.chain(*(artifacts or {}).values())


def _use_local_temporary_folder(executor: Any, folders: dict[str, str]) -> None:
    context = executor._context
    if context is not None and context._tmp_dir and is_s3(context._tmp_dir):
        context._tmp_dir = os.path.join(os.path.dirname(next(iter(folders.values()))), "temporary")


def _restore(artifact: Any, addresses: dict[str, str]) -> None:
    """Replace local paths in an artifact's message, such as the Evaluator's URI of the model."""
    artifact.uri = addresses.get(artifact.uri, artifact.uri)
    for value in artifact.custom_properties.values():
        if value.HasField("string_value"):
            value.string_value = with_addresses(value.string_value)


class S3Filesystem(Filesystem):
    """TFX's file operations on s3://. Folders need not be made."""

    SUPPORTED_SCHEMES = ["s3://"]

    @staticmethod
    def open(name: str, mode: str = "r") -> IO[Any]:
        """Open an object."""
        return file_systems.open_file(name, mode)

    @staticmethod
    def copy(src: str, dst: str, overwrite: bool = False) -> None:
        """Copy an object."""
        if not overwrite and s3.exists(dst):
            raise FileExistsError(f"{dst} exists")
        s3.copy(src, dst)

    @staticmethod
    def exists(path: str) -> bool:
        """Return whether there is such an object or folder."""
        return s3.exists(path)

    @staticmethod
    def glob(pattern: str) -> list[str]:
        """Return the addresses that match a pattern."""
        return s3.glob(pattern)

    @staticmethod
    def isdir(path: str) -> bool:
        """Return whether there is such a folder."""
        return s3.is_folder(path)

    @staticmethod
    def listdir(path: str) -> list[str]:
        """Return the names in a folder."""
        return file_systems.list_folder(path)

    @staticmethod
    def makedirs(path: str) -> None:
        """Do nothing: a folder exists with the first object in it."""

    @staticmethod
    def mkdir(path: str) -> None:
        """Do nothing, as `makedirs`."""

    @staticmethod
    def remove(path: str) -> None:
        """Delete an object."""
        s3.delete(path)

    @staticmethod
    def rename(src: str, dst: str, overwrite: bool = False) -> None:
        """Copy an object and delete the original."""
        S3Filesystem.copy(src, dst, overwrite)
        s3.delete(src)

    @staticmethod
    def rmtree(path: str) -> None:
        """Delete a folder with all that is in it."""
        s3.delete(path)

    @staticmethod
    def stat(path: str) -> s3.Status:
        """Return an object's size and modification time, both 0 for a folder."""
        try:
            return s3.status(path)
        except FileNotFoundError:
            if not s3.is_folder(path):
                raise
            return s3.Status(0, 0)

    @staticmethod
    def walk(
        top: str, topdown: bool = True, onerror: Callable[..., None] | None = None
    ) -> Iterator[tuple[str, list[str], list[str]]]:
        """Walk a folder as `os.walk` does."""
        found = file_systems.walk(top)
        return found if topdown else reversed(list(found))
