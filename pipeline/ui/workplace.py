"""What the pages of the interface work on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.config.run_config import RunConfig
from pipeline.ui.changing import Changing
from pipeline.ui.running import Runner
from pipeline.ui.served import Served
from pipeline.ui.support import Support
from pipeline.ui.uploads import Uploads
from traffic.store import TrafficStore


class Workplace:
    """A pipeline, its served model, and the images that people have brought.

    Args:
        config: The configuration's file.
        settings: What it says.
        served: The model.
        folder: For uploads; a folder of its own, which goes with the interface.
        overrides: Of the configuration's keys, which `settings` has.
        base_path: Folder of the versions as servers see it; empty: as it is here.
    """

    def __init__(
        self,
        config: Path,
        settings: RunConfig,
        served: Served,
        folder: Path,
        overrides: Sequence[str] = (),
        base_path: str = "",
    ) -> None:
        self.config, self.settings, self.served = config, settings, served
        self.base_path = base_path
        self.folder = folder
        (folder / "uploads").mkdir()
        self.uploads = Uploads(folder / "uploads")
        self.support = Support(settings)
        self.changing = Changing(folder / "change", config, overrides)
        self.runner = Runner(config, settings, overrides, folder / "run.txt")
        self._opened: TrafficStore | None = None
        self._store_lock = threading.Lock()

    @contextlib.contextmanager
    def store(self) -> Iterator[TrafficStore]:
        """Yield the traffic store, for this thread alone; made where there is none.

        Raises:
            TrafficError: It cannot be opened.
        """
        with self._store_lock:
            if self._opened is None:
                self._opened = TrafficStore(self.settings.traffic_store, create=True)
            yield self._opened

    def close(self) -> None:
        """Close the store, and end the connection to the model and what is being done for pages."""
        with self._store_lock:
            if self._opened is not None:
                self._opened.close()
        self.changing.discard()
        self.support.close()
        self.served.close()
