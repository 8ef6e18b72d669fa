"""Which model takes whose place, with loads that end when the test says so."""

import threading
import time

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis import model_pb2
from tensorflow_serving.config import model_server_config_pb2

from serving.embedded.catalogue import Catalogue
from serving.embedded.model import Pace, State
from serving.embedded.statuses import Status
from tests.serving.embedded.processes import eventually

NOT_FOUND, INVALID_ARGUMENT = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT
SPEC = model_pb2.ModelSpec(name="m")


class Loaded:
    """Stands for a `Servable`; knows the folder that it came from."""

    def __init__(self, folder):
        self.folder = folder

    def close(self):
        pass


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    yield place
    place.release(*place.folders)
    place.catalogue.stop(timeout=10)


class Place:
    """A catalogue, and folders of one version each whose loads wait to be released."""

    def __init__(self, root):
        self._root = root
        self._released = {}
        self.catalogue = Catalogue(self._load, Pace(poll_seconds=0.02))

    def configure(self, folder, version=1, names=("m",), text=""):
        path = self._root / folder / str(version)
        if not path.exists():
            path.mkdir(parents=True)
            (path / "saved_model.pb").write_bytes(b"")
            self._released[folder] = threading.Event()
        configs = [f'config {{ name: "{n}" base_path: "{path.parent}" {text} }}' for n in names]
        config = model_server_config_pb2.ModelServerConfig()
        text_format.Parse(f"model_config_list {{ {' '.join(configs)} }}", config)
        self.catalogue.configure(config)
        return config

    def release(self, *folders):
        for folder in folders:
            self._released[folder].set()

    @property
    def folders(self):
        return list(self._released)

    def serves(self, **which):
        """The folder and version that answer; the code where none does."""
        try:
            with self.catalogue.use(model_pb2.ModelSpec(name="m", **which)) as (number, loaded):
                return loaded.folder, number
        except Status as e:
            return e.code

    def _load(self, name, number, path):
        folder = path.split("/")[-2]
        assert self._released[folder].wait(30)
        return Loaded(folder)


@pytest.fixture
def served(place):
    """`first` is served."""
    place.configure("first")
    assert not place.catalogue.ready
    place.release("first")
    eventually(lambda: place.catalogue.ready, seconds=10)
    return place


def test_another_folder_takes_over_when_its_version_is_loaded(served):
    served.configure("second", version=2)
    time.sleep(0.1)
    assert served.serves() == ("first", 1)
    served.release("second")
    eventually(lambda: served.serves() == ("second", 2), seconds=10)
    eventually(lambda: served.catalogue.statuses(SPEC)[-1].state is State.END, seconds=10)


def test_the_folder_named_last_is_served(served):
    served.configure("second", version=2)
    served.configure("third", version=3)
    served.release("second", "third")
    eventually(lambda: served.serves() == ("third", 3), seconds=10)


def test_back_to_what_is_served(served):
    served.configure("second", version=2)
    eventually(lambda: served.catalogue.statuses(SPEC)[0].state is State.LOADING, seconds=10)
    served.configure("first")
    served.release("second")
    eventually(lambda: served.catalogue.statuses(SPEC)[0].state is State.END, seconds=10)
    assert served.serves() == ("first", 1)


def test_models_come_and_go(served):
    served.configure("first", names=("other", "m"))
    eventually(lambda: served.catalogue.ready, seconds=10)
    served.configure("first", names=("other",))
    assert served.serves() is NOT_FOUND
    assert not served.catalogue.knows("m")


def test_a_refused_configuration_changes_nothing(served, tmp_path):
    for text, message in [
        ('model_platform: "caffe"', "only 'tensorflow' is supported"),
        ("model_version_policy { specific {} }", "names no versions"),
    ]:
        with pytest.raises(Status, match=message):
            served.configure("first", text=text)
    with pytest.raises(Status, match="Illegal to list model m multiple times"):
        served.configure("first", names=("m", "m"))
    for path, message in [
        ("here", "absolute path"),
        ("/none", "Could not find base path /none for servable m"),
    ]:
        config = model_server_config_pb2.ModelServerConfig()
        config.CopyFrom(served.configure("first"))
        config.model_config_list.config[0].base_path = path
        with pytest.raises(Status, match=message):
            served.catalogue.configure(config)
    assert served.serves() == ("first", 1)


def labelled(**versions):
    labels = [f"version_labels {{ key: '{k}' value: {v} }}" for k, v in versions.items()]
    return f"model_version_policy {{ all {{}} }} {' '.join(labels)}"


def test_labels(served):
    served.configure("first", text=labelled(stable=1, new=2))
    assert served.serves(version_label="stable") == ("first", 1)
    assert served.serves(version_label="new") is NOT_FOUND  # it isn't available yet
    assert served.serves(version_label="other") is INVALID_ARGUMENT
    served.configure("first", text=labelled(stable=1))
    assert served.serves(version_label="new") is INVALID_ARGUMENT


def test_a_moved_label_waits_for_its_version(served):
    served.configure("first", text=labelled(stable=1))
    for _ in range(2):  # read twice before the version is there
        served.configure("first", version=1, text=labelled(stable=2))
    assert served.serves(version_label="stable") == ("first", 1)
    served.configure("first", version=2, text=labelled(stable=2))
    served.release("first")
    eventually(lambda: served.serves(version_label="stable") == ("first", 2), seconds=10)
    served.configure("first", text=labelled(stable=3))
    assert served.serves(version_label="stable") == ("first", 2)


def test_a_label_that_is_moved_twice_names_the_version_between(served):
    """And not the one before, as if nobody had asked meanwhile."""
    both = "model_version_policy { specific { versions: 1 versions: 2 } }"
    served.configure("first", version=2, text=f"{both} version_labels {{ key: 's' value: 1 }}")
    served.release("first")
    states = [State.AVAILABLE, State.AVAILABLE]
    eventually(lambda: [v.state for v in served.catalogue.statuses(SPEC)] == states, seconds=10)
    for version in (2, 3):  # 3 is not there
        label = f"version_labels {{ key: 's' value: {version} }}"
        served.configure("first", text=f"{both} {label}")
    assert served.serves(version_label="s") == ("first", 2)
