"""Which model takes whose place, with loads that end when the test says so."""

import threading

import pytest
from google.protobuf import text_format
from tensorflow_serving.apis import model_pb2
from tensorflow_serving.config import model_server_config_pb2

from serving.embedded.catalogue import Catalogue
from serving.embedded.model import Pace
from tests.serving.embedded.processes import eventually


class Loaded:
    """Stands for a `Servable`; knows the folder that it came from."""

    def __init__(self, folder):
        self.folder = folder

    def close(self):
        pass


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


class Place:
    """A catalogue, and folders of one version each whose loads wait to be released."""

    def __init__(self, root):
        self._root = root
        self._released = {}
        self.catalogue = Catalogue(self._load, Pace(poll_seconds=0.02))

    def configure(self, folder):
        version = self._root / folder / "1"
        if not version.exists():
            version.mkdir(parents=True)
            (version / "saved_model.pb").write_bytes(b"")
            self._released[folder] = threading.Event()
        config = model_server_config_pb2.ModelServerConfig()
        each = f'config {{ name: "m" base_path: "{version.parent}" }}'
        text_format.Parse(f"model_config_list {{ {each} }}", config)
        return self.catalogue.configure(config)

    def release(self, *folders):
        for folder in folders:
            self._released[folder].set()

    def serves(self):
        with self.catalogue.use(model_pb2.ModelSpec(name="m")) as (_, loaded):
            return loaded.folder

    def _load(self, name, number, path):
        folder = path.split("/")[-2]
        assert self._released[folder].wait(30)
        return Loaded(folder)


@pytest.fixture
def served(place):
    """`first` is served."""
    [model] = place.configure("first")
    place.release("first")
    assert model.wait_until_settled(30) is None
    return place


def test_the_folder_named_last_is_served_whichever_loads_first(served):
    served.configure("second")
    served.configure("third")
    served.release("second")
    assert served.serves() == "first"
    served.release("third")
    eventually(lambda: served.serves() == "third", seconds=10)


def test_a_folder_named_twice_is_loaded_once(served):
    [once] = served.configure("second")
    assert served.configure("second") == [once]
    served.release("second")
    eventually(lambda: served.serves() == "second", seconds=10)


def test_back_to_what_is_served_drops_what_was_on_its_way(served):
    [second] = served.configure("second")
    assert served.configure("first") == []
    served.release("second")
    eventually(lambda: not second.is_available(), seconds=10)
    assert served.serves() == "first"
