"""Detects whether the images have changed since the last run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import tensorflow as tf
from tfx.components.example_gen import driver, input_processor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2

from base.errors import DataError
from components.image_example_gen.executor import expected_classes, read_settings, span_root
from components.image_example_gen.groups import check_classes
from components.image_example_gen.settings import Settings
from components.image_example_gen.sources import list_sources

_AT_ONCE = 16


class Driver(driver.FileBasedDriver):
    """TFX's driver with a fingerprint that tolerates unreadable files.

    TFX's own fingerprint fails at a broken symbolic link.
    """

    def resolve_exec_properties(
        self, exec_properties: dict[str, Any], pipeline_info: Any, component_info: Any
    ) -> dict[str, Any]:
        """Choose the span and add the fingerprint of its files."""
        self._settings = read_settings(exec_properties)
        resolved = super().resolve_exec_properties(exec_properties, pipeline_info, component_info)
        resolved["input_fingerprint"] = _fingerprint(self._settings, span_root(resolved))
        return resolved

    def get_input_processor(
        self,
        splits: Iterable[example_gen_pb2.Input.Split],
        range_config: Any = None,
        input_base_uri: str | None = None,
    ) -> input_processor.InputProcessor:
        """Return a processor that finds the span and reads no files."""
        return _SpanProcessor(input_base_uri, splits, range_config)


class _SpanProcessor(input_processor.FileBasedInputProcessor):
    def resolve_span_and_version(self) -> tuple[int | None, int | None]:
        if not any("{SPAN}" in split.pattern for split in self._splits):
            return 0, None
        try:
            return super().resolve_span_and_version()
        except UnicodeDecodeError as e:
            raise DataError(
                f"{self._input_base_uri}: a folder in it has a name that is not UTF-8; rename it"
            ) from e
        except ValueError as e:
            pattern = next(iter(self._splits)).pattern.removesuffix("/*")
            raise DataError(
                f"{self._input_base_uri}: has no span that matches data.root. Add a folder such as "
                f"{pattern.replace('{SPAN}', '1')} with class folders in it; all folders that "
                f"match {pattern.replace('{SPAN}', '*')} must have a number there: {e}"
            ) from e

    def get_input_fingerprint(self, span: int | None, version: int | None) -> str:
        return ""  # Driver sets it


def _fingerprint(settings: Settings, root: str) -> str:
    """Return a hash of the classes and of all files' paths, sizes and modification times."""
    digest = hashlib.sha256("\0".join(expected_classes(settings, root)).encode("utf-8"))
    sources = list_sources(
        root, settings.layout, settings.manifest, settings.group, settings.classes
    )
    if settings.split_by == "class":
        check_classes(sources, root)
    # A bucket takes milliseconds to answer, but answers many requests at once.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        states = pool.map(_state, (os.path.join(root, source.path) for source in sources))
        for source, state in zip(sources, states, strict=True):
            texts = (source.path, source.label, source.split or "", source.group or "")
            digest.update(os.fsencode("\0".join(texts)))
            digest.update(state)
    return digest.hexdigest()


def _state(path: str) -> bytes:
    """Return a file's size and modification time, which in a bucket is in seconds."""
    try:
        status = fileio.stat(path)
        return f"{status.length} {status.mtime_nsec}".encode()
    except (OSError, tf.errors.OpError, fileio.NotFoundError):
        return b"unreadable"
