"""Pictures of support images, and the end of a reading; versions are folders without a model."""

import subprocess
import sys
import threading

import pytest

from pipeline.config.reading import load
from pipeline.ui import enrolled_pictures
from pipeline.ui import support as module
from pipeline.ui.support import NoModel, Support
from serving.query_image import ImageError
from storage.enrolled_images import EnrolledImage, read_enrolled_images, write_enrolled_images


@pytest.fixture
def base(tmp_path, monkeypatch):
    """The base path of the pipeline `my.yaml`, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").write_text("name: mine\ndata: {root: data}\n")
    (tmp_path / "data/a").mkdir(parents=True)
    (tmp_path / "data/a/0.png").write_bytes(b"of the data set")
    return tmp_path / "runs/mine/serving"


def publish(base, version, **images):
    """Write a version in which images of a class are enrolled."""
    (base / str(version) / "assets.extra").mkdir(parents=True)
    (base / str(version) / "saved_model.pb").touch()
    rows = [EnrolledImage(*name.split("_")[:1], name.replace("_", "/"), 1, data)
            for name, data in images.items()]  # fmt: skip
    write_enrolled_images(base / str(version), rows)


@pytest.fixture
def support(base):
    return Support(load("my.yaml"))


@pytest.fixture
def read(monkeypatch):
    """The versions that are read, as often as they are."""
    versions = []

    def reads(version):
        versions.append(version.rpartition("/")[2])
        return read_enrolled_images(version)

    monkeypatch.setattr(enrolled_pictures, "read_enrolled_images", reads)
    return versions


def test_many_versions_are_not_read_for_each_image(base, support, read):
    for version in range(1, 13):
        publish(base, version, **{f"new_{version}": b"%d" % version})
    for _ in range(3):
        assert support.image("a/0.png") == b"of the data set"
        assert support.image("new/12") == b"12"
        with pytest.raises(ImageError, match="cannot be read"):
            support.image("a/none.png")
    # For their names, and the one that has an image for its images.
    assert read == ["12", "12", *(str(version) for version in range(11, 0, -1))]


def test_the_newest_version_says_which_image_a_name_is(base, support):
    publish(base, 1, **{"a_0.png": b"enrolled long ago", "new_1": b"old"})
    publish(base, 2, new_1=b"new")
    assert support.image("a/0.png") == b"of the data set"
    assert support.image("new/1") == b"new"
    publish(base, 3)
    assert support.image("new/1") == b"new"


def test_without_tensorflow_the_support_set_is_not_shown(base, support, monkeypatch):
    """As after `pip install 'siamese-tfx[ui]'`."""
    publish(base, 1)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    with pytest.raises(NoModel, match=r"needs TensorFlow: install siamese-tfx\[pipeline\]"):
        support.listing()


def test_nothing_is_pushed(support):
    assert support.image("a/0.png") == b"of the data set"


def test_a_reading_ends_with_the_interface(base, support, monkeypatch):
    publish(base, 1)
    started = threading.Event()
    popen = subprocess.Popen

    def sleeps(command, **options):
        child = popen([sys.executable, "-c", "import time; time.sleep(60)"], **options)
        started.set()
        return child

    monkeypatch.setattr(module.subprocess, "Popen", sleeps)
    closing = threading.Thread(target=lambda: (started.wait(), support.close()))
    closing.start()
    with pytest.raises(NoModel, match="cannot be read"):
        support.listing()
    closing.join()
