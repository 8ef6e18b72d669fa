"""A configuration with a pushed model, and a fake service in place of its server."""

import contextlib

import pytest
from sample_images import write_classes

from pipeline.runs import held_out, history


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Images, a configuration, and a model that was pushed."""
    monkeypatch.chdir(tmp_path)
    write_classes(tmp_path / "data", classes=2, each=3)
    (tmp_path / "my.yaml").write_text("name: mine\ndata: {root: data}\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "runs/mine/serving/7").mkdir(parents=True)
    (tmp_path / "runs/mine/serving/7/saved_model.pb").touch()
    return tmp_path


@pytest.fixture
def temporary(address, monkeypatch):
    """Has the fake service in place of a server that is started."""
    started = []

    @contextlib.contextmanager
    def serve(engine, name, base_path):
        started.append((engine, name, base_path.name))
        yield address

    monkeypatch.setattr("serving.temporary_server.temporary_server", serve)
    monkeypatch.setenv("PATH", "")
    return started


@pytest.fixture
def test_split(place, monkeypatch):
    """The last run's test split: all images."""
    run = history.Run.model_validate(
        {
            "id": "1",
            "started": "2026-01-01T00:00:00Z",
            "components": [
                {"id": "ImageExampleGen", "outcome": "done", "outputs": {"examples": {"uri": "e"}}}
            ],
        }
    )
    monkeypatch.setattr(history, "read_runs", lambda metadata, name: [run])
    files = sorted((place / "data").rglob("*.png"))
    monkeypatch.setattr(held_out, "test_images", lambda uri: [(f, f.parent.name) for f in files])
