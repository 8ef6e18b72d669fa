import pytest
from judged_model import JudgedModel
from judged_runs import Pipelines


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder with models, `good` and `collapsed`."""
    place = tmp_path_factory.mktemp("models")
    JudgedModel().save(place / "good" / "7")
    JudgedModel(scale=0.0).save(place / "collapsed")
    return place


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def pipelines(place):
    """Gives pipeline `mine` runs; `my.yaml` is its configuration."""
    made = Pipelines(place)
    (place / "my.yaml").write_text("name: mine\ndata: {root: data}\n")
    return made
