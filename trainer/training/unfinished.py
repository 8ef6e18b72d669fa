"""The folder in which a training or a search keeps what it needs to resume after a kill."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from storage.file_systems import is_remote
from storage.local_copies import with_addresses


def unfinished_folder(root: str, *inputs: Any) -> Path:
    """Return a local folder for work with exactly these inputs.

    TFX gives each attempt at a step other output folders, but the same inputs. Local
    copies of these count by their address.

    Args:
        root: Folder of all unfinished work. Checkpoints need local files: for an address such as
            gs://bucket, a temporary folder of this machine is used instead.
        inputs: Everything that determines the result, as JSON types.
    """
    text = with_addresses(json.dumps(inputs, sort_keys=True))
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    local = Path(tempfile.gettempdir()) / "siamese-unfinished" if is_remote(root) else Path(root)
    return local / key
