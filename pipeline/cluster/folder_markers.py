"""Removes the empty objects that represent folders in a bucket.

TensorFlow's file system for gs:// writes an empty object `folder/` for each folder.
Kubeflow's launcher, which copies a task's input artifacts into its pod, mistakes such an object for
a file and fails at the objects below it (kubeflow/pipelines#13476). No reader needs them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any


def remove_folder_markers(uris: Iterable[str]) -> None:
    """Remove the folder objects below URIs; local paths have none.

    An error is only logged, since the task has done its work.

    Args:
        uris: URIs of a task's outputs.
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
                "%s: the empty objects that represent folders could not be removed (%s); if the "
                "next task fails with 'not a directory', see docs/kubeflow.md",
                uri,
                e,
            )


def _store(uri: str) -> Any:
    """Return Beam's client, which deletes single objects; None where there are no such objects."""
    if uri.startswith("gs://"):
        from apache_beam.io.gcp.gcsio import GcsIO

        return GcsIO()
    return None
