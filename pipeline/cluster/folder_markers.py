"""Removes the empty objects that stand for folders in a bucket.

TensorFlow's file systems for gs:// and s3:// write an empty object `folder/` for each folder.
Kubeflow's launcher, which copies a task's input artifacts into its pod, takes such an object for a
file and fails at what lies below it (kubeflow/pipelines#13476). No reader misses them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any


def remove_folder_markers(uris: Iterable[str]) -> None:
    """Remove them below the given addresses; local paths have none.

    Where that fails the task has still done its work, so it is only noted.

    Args:
        uris: Of a task's outputs.
    """
    for uri in uris:
        try:
            store = _store(uri)
            if store is None:
                continue
            for path, (size, _) in list(store.list_files(uri.rstrip("/") + "/", True)):
                if path.endswith("/") and not size:
                    store.delete(path)
        except Exception as e:
            logging.warning(
                "%s: the empty objects that stand for folders could not be removed (%s); if the "
                "next task fails with 'not a directory', see docs/kubeflow.md",
                uri,
                e,
            )


def _store(uri: str) -> Any:
    """Beam's client for objects, which deletes one object and never a folder."""
    if uri.startswith("gs://"):
        from apache_beam.io.gcp.gcsio import GcsIO

        return GcsIO()
    if uri.startswith("s3://"):
        from apache_beam.io.aws.s3io import S3IO
        from apache_beam.options.pipeline_options import PipelineOptions, S3Options

        return S3IO(options=PipelineOptions([]).view_as(S3Options))
    return None
