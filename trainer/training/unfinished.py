"""Where a training or a search keeps what it needs to go on after a kill."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from storage.file_systems import is_remote


def unfinished_folder(root: str, *inputs: Any) -> Path:
    """A folder for work with just these inputs.

    Each attempt at a step gets other output folders from TFX, but the same inputs.

    Args:
        root: Folder of all unfinished work. Checkpoints need local files: where it is an address
            such as gs://bucket, a folder of this machine is taken.
        inputs: All that decides what comes out; JSON can hold it.
    """
    key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
    local = Path(tempfile.gettempdir()) / "siamese-unfinished" if is_remote(root) else Path(root)
    return local / key
