"""A workplace whose model is answered by `fake_serving`; no TensorFlow."""

import pytest
from sample_images import write_classes

from pipeline.config import reading
from pipeline.ui.app import create_app
from pipeline.ui.served import Served
from pipeline.ui.workplace import Workplace


@pytest.fixture
def place(tmp_path, address):
    """With support images a/0.png to a/4.png, and an empty store."""
    write_classes(tmp_path / "data", classes=1, each=5)
    (tmp_path / "data/class-0").rename(tmp_path / "data/a")
    config = tmp_path / "my.yaml"
    config.write_text("name: mine\ndata: {root: data}\noutput: runs\n")
    (tmp_path / "work").mkdir()
    served = Served("mine", address, timeout=5.0)
    found = Workplace(config, reading.load(config), served, tmp_path / "work")
    yield found
    found.close()


@pytest.fixture
def app(place):
    return create_app(place)
