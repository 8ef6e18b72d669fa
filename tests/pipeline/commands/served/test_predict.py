"""`siamese predict` against a fake service in this process, and what it prints."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from command_line import siamese
from rich.console import Console

from pipeline.commands.predict import show_pairs, show_pairs_as_json
from pipeline.runs import held_out
from pipeline.terminal.console import FAILED, WRONG_USE
from serving.answers import Comparison

SAME = Comparison(0.9, same=True, valid=True)
DIFFERENT = Comparison(0.6, same=False, valid=True)  # the model's threshold, not 0.5, decides


@pytest.fixture
def out():
    return Console(file=io.StringIO(), width=100)


PAIR = ("data/class-0/0.png", "data/class-1/0.png")


def test_a_pair_is_compared_by_a_server(service, address):
    result = siamese("predict", *PAIR, "--server", address, "--name", "parts")
    assert result.exit_code == 0, result.everything
    assert "0.250   different" in result.everything
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
    assert "gave no answer in time; increase the timeout (0.2 s" in result.everything


def test_without_a_server_the_newest_model_is_served_for_the_question(temporary):
    result = siamese("predict", *PAIR, "--config", "my.yaml")
    assert result.exit_code == 0, result.everything
    assert temporary == [("embedded", "mine", "serving")]
    assert "Starting a server of runs/mine/serving/7 (engine 'embedded')" in result.everything


def test_pairs_of_the_test_split(temporary, test_split):
    result = siamese("predict", "--held-out", "4", "--config", "my.yaml")
    assert "pairs are correct." in result.everything


@pytest.mark.parametrize("command", ["predict", "classify"])
def test_a_run_with_folds_is_refused_before_a_server_starts(
    command, temporary, test_split, monkeypatch
):
    report = SimpleNamespace(folds=[[1]], root="data")
    monkeypatch.setattr(held_out.IngestionReport, "read", lambda uri: report)
    result = siamese(command, "--held-out", "4", "--config", "my.yaml")
    assert result.exit_code == WRONG_USE
    assert "has learned from every image" in result.everything
    assert not temporary


SERVER = ("--server", "localhost:1", "--name", "parts")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict"], "name two images"),
        (["predict", "a.png", *SERVER], "name two images"),
        (["predict", "a", "b", "--held-out", "2", "--config", "my.yaml"], "name two images"),
        (["predict", "a", "b"], "name a server by --server"),
        (["predict", "a", "b", "--server", "localhost:1"], "--server needs the name"),
        (
            ["predict", "a", "b", "--config", "my.yaml", "--version", "1"],
            "only with --server",
        ),
        (["predict", "a", "b", "--config", "none.yaml"], "none.yaml: cannot be read"),
        (["predict", "a", "b", *SERVER], "a cannot be read"),
        (["predict", *PAIR, *SERVER, "--tls-ca", "x.pem"], "x.pem: cannot be read"),
        (["predict", *PAIR, *SERVER, "--version", "1", "--label", "a"], "a version or a label"),
        (["predict", "--held-out", "2", *SERVER], "needs --config"),
        (["predict", *PAIR, *SERVER, "--set", "seed=1"], "--set needs a configuration"),
        (["classify", PAIR[0], *SERVER, "--set", "seed=1"], "--set needs a configuration"),
        (
            ["predict", "--held-out", "2", *SERVER, "--config", "my.yaml", "--label", "canary"],
            "give --version in place of --label",
        ),
        (
            ["predict", "--held-out", "2", *SERVER, "--config", "my.yaml"],
            "no run of runs/mine has pushed it",
        ),
        (["predict", *PAIR, "--config", "my.yaml", "--set", "output=o"], "no model has been"),
        (["classify"], "name images or folders"),
        (["classify", "a", "--held-out", "2", "--config", "my.yaml"], "name images or folders"),
        (["classify", "empty", *SERVER], "there is no file in this folder"),
    ],
)
def test_wrong_use_is_one_sentence_and_2(arguments, message):
    result = siamese(*arguments)
    assert result.exit_code == WRONG_USE, result.everything
    assert message in result.everything


def test_pairs_with_a_known_truth_are_counted(out):
    a, b = Path("x/a.png"), Path("x/b.png")
    show_pairs(out, [(a, b, True), (a, b, False)], [SAME, SAME])
    text = out.file.getvalue()
    assert "x/a.png" in text
    assert "0.900" in text
    assert "1 of 2 pairs are correct." in text


def test_unknown_pairs_are_not(out):
    show_pairs(out, [(Path("a"), Path("b"), None)], [DIFFERENT])
    assert "different" in out.file.getvalue()
    assert "correct" not in out.file.getvalue()


def test_names_are_shown_as_they_are(out):
    show_pairs(out, [(Path("[dent]/1.jpg"), Path("two\nlines"), None)], [DIFFERENT])
    assert "[dent]/1.jpg" in out.file.getvalue()
    assert "two\\nlines" in out.file.getvalue()


def test_pairs_as_json(out):
    show_pairs_as_json(out, [(Path("a"), Path("b"), None)], [SAME])
    assert json.loads(out.file.getvalue()) == {
        "pairs": [{"left": "a", "right": "b", "similarity": 0.9, "same": True}],
    }
