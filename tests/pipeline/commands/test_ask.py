"""`siamese predict` and `siamese classify` against a fake service in this process."""

import contextlib
import json

import grpc
import pytest
from command_line import siamese
from sample_images import write_classes

from pipeline.runs import held_out, history
from pipeline.terminal.console import FAILED, WRONG_USE


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Images, a configuration, and a model that was pushed."""
    monkeypatch.chdir(tmp_path)
    write_classes(tmp_path / "data", classes=2, each=3)
    (tmp_path / "my.yaml").write_text("name: mine\ndata: {root: data}\n")
    (tmp_path / "runs/mine/serving/7").mkdir(parents=True)
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


PAIR = ("data/class-0/0.png", "data/class-1/0.png")


def test_a_pair_is_compared_by_a_server(service, address):
    result = siamese("predict", *PAIR, "--server", address, "--name", "parts")
    assert result.exit_code == 0, result.everything
    assert "0.250   different" in result.output
    assert service.requests[0].model_spec.name == "parts"


def test_the_name_may_come_from_the_configuration(service, address):
    result = siamese("predict", *PAIR, "--server", address, "--config", "my.yaml", "--json")
    assert json.loads(result.stdout)["pairs"][0]["similarity"] == 0.25
    assert service.requests[0].model_spec.name == "mine"


def test_a_version_and_a_deadline_are_passed_on(service, address):
    there = ("--server", address, "--name", "parts")
    assert siamese("predict", *PAIR, *there, "--version", "7").exit_code == 0
    assert siamese("classify", PAIR[0], *there, "--label", "canary").exit_code == 0
    specs = [request.model_spec for request in service.requests]
    assert (specs[0].version.value, specs[1].version_label) == (7, "canary")
    service.gate.clear()
    result = siamese("predict", *PAIR, *there, "--timeout", "0.2")
    service.gate.set()
    assert result.exit_code == FAILED
    assert "gave no answer within 0.2 s" in result.everything


def test_without_a_server_the_newest_model_is_served_for_the_question(temporary):
    result = siamese("predict", *PAIR, "--config", "my.yaml")
    assert result.exit_code == 0, result.everything
    assert temporary == [("embedded", "mine", "serving")]
    assert "Serving runs/mine/serving/7 by the engine 'embedded'" in result.everything


def test_pairs_of_the_test_split(temporary, test_split):
    result = siamese("predict", "--held-out", "4", "--config", "my.yaml")
    assert "pairs are judged rightly." in result.output


def test_folders_are_classified_a_line_each(service, address, place):
    (place / "data/class-0/notes.txt").write_text("no image")
    result = siamese("classify", "data", "--server", address, "--name", "parts")
    assert result.exit_code == FAILED  # a file could not be used
    lines = result.output.splitlines()
    assert lines[0] == "class-0/0.png: a (0.750), as a/1.png"
    assert lines[3] == "data/class-0/notes.txt is no image, or of a kind that cannot be read"
    assert lines[-1].endswith("6 of a class, 0 of none that is known; 1 files could not be used.")


def test_json_is_an_object_a_line(address):
    result = siamese("classify", "data", "--server", address, "--name", "parts", "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["image"] for row in rows] == [
        f"data/class-{label}/{number}.png" for label in range(2) for number in range(3)
    ]
    assert rows[0]["label"] == "a"


def test_images_of_the_test_split_are_judged(temporary, test_split):
    result = siamese("classify", "--held-out", "4", "--config", "my.yaml")
    assert result.exit_code == 0, result.everything
    assert "0 of 4 are judged rightly." in result.output
    assert "; in truth class-" in result.output


SERVER = ("--server", "localhost:1", "--name", "parts")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict"], "name two images"),
        (["predict", "a.png", *SERVER], "name two images"),
        (["predict", "a", "b", "--held-out", "2", "--config", "my.yaml"], "name two images"),
        (["predict", "a", "b"], "name a server by --server"),
        (["predict", "a", "b", "--server", "localhost:1"], "--server needs --name"),
        (["predict", "a", "b", "--config", "my.yaml", "--version", "1"], "belong to --server"),
        (["predict", "a", "b", "--config", "none.yaml"], "none.yaml: cannot be read"),
        (["predict", "a", "b", *SERVER], "a: cannot be read"),
        (["predict", *PAIR, *SERVER, "--tls-ca", "x.pem"], "x.pem: cannot be read"),
        (["predict", *PAIR, *SERVER, "--version", "1", "--label", "a"], "a version or a label"),
        (["predict", "--held-out", "2", *SERVER], "needs --config"),
        (["predict", "--held-out", "2", *SERVER, "--config", "my.yaml"], "has no run yet"),
        (["predict", *PAIR, "--config", "my.yaml", "--set", "output=o"], "no model has been"),
        (["classify"], "name images or folders"),
        (["classify", "a", "--held-out", "2", "--config", "my.yaml"], "name images or folders"),
        (["classify", "runs", *SERVER], "there is no file in this folder"),
    ],
)
def test_wrong_use_is_one_sentence_and_2(arguments, message):
    result = siamese(*arguments)
    assert result.exit_code == WRONG_USE, result.everything
    assert message in result.everything


def test_nobody_at_home():
    result = siamese("classify", PAIR[0], *SERVER)
    assert result.exit_code == FAILED
    assert "localhost:1 does not answer" in result.everything


def test_a_server_that_refuses(service, address):
    service.failures = [(grpc.StatusCode.NOT_FOUND, "Servable not found")]
    result = siamese("classify", PAIR[0], "--server", address, "--name", "parts")
    assert result.exit_code == FAILED
    assert "has no such model or version: Servable not found" in result.everything
