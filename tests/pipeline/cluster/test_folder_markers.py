import pytest

from pipeline.cluster import folder_markers
from pipeline.cluster.folder_markers import remove_folder_markers


class Store:
    """A bucket, with Beam's interface."""

    def __init__(self, sizes):
        self.sizes = sizes

    def list_files(self, prefix, with_metadata):
        assert with_metadata
        return ((p, (n, 0.0)) for p, n in list(self.sizes.items()) if p.startswith(prefix))

    def delete(self, path):
        del self.sizes[path]


@pytest.fixture
def bucket(monkeypatch):
    store = Store(
        {
            "gs://b/7/examples/": 0,
            "gs://b/7/examples/Split-train/": 0,
            "gs://b/7/examples/Split-train/data.gz": 9,
            "gs://b/7/examples/Split-train/empty": 0,
            "gs://b/7/examples/data/": 9,
            "gs://b/7/examples-2/": 0,
        }
    )
    monkeypatch.setattr(folder_markers, "_store", lambda uri: store)
    return store


def test_only_empty_objects_named_like_folders_go(bucket):
    remove_folder_markers(["gs://b/7/examples"])
    assert set(bucket.sizes) == {
        "gs://b/7/examples/Split-train/data.gz",
        "gs://b/7/examples/Split-train/empty",
        "gs://b/7/examples/data/",
        "gs://b/7/examples-2/",
    }


def test_a_failure_is_noted_and_fails_nothing(bucket, monkeypatch, caplog):
    monkeypatch.setattr(bucket, "delete", lambda path: 1 / 0)
    remove_folder_markers(["gs://b/7/examples"])
    assert "gs://b/7/examples: the empty objects" in caplog.text


def test_local_files_have_none(tmp_path):
    (tmp_path / "folder").mkdir()
    remove_folder_markers([str(tmp_path)])
    assert (tmp_path / "folder").exists()
