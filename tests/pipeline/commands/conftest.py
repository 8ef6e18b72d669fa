"""A configuration whose data set is a span, and its traffic store, for `review` and `improve`."""

import pytest
from sample_images import write_classes

from pipeline.config.reading import load
from traffic.store import TrafficStore


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The current folder, with `my.yaml` and the span `parts-1`."""
    monkeypatch.chdir(tmp_path)
    write_classes(tmp_path / "parts-1", classes=2, each=5)
    (tmp_path / "my.yaml").write_text("name: mine\ndata: {root: 'parts-{SPAN}'}\n")
    return tmp_path


@pytest.fixture
def store(place):
    with TrafficStore(load("my.yaml").traffic_store, create=True) as made:
        yield made
