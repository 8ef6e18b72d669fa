"""`siamese classify` against a fake service in this process, and what it prints."""

import errno
import io
import json
import sys
from pathlib import Path

import grpc
import pytest
from command_line import siamese
from rich.console import Console

from pipeline import cli
from pipeline.commands.classify import Tally, answer_as_json, show_answer
from pipeline.terminal.console import FAILED
from serving.answers import Classification
from serving.client import FileAnswer

IMAGE = "data/class-0/0.png"
SERVER = ("--server", "localhost:1", "--name", "parts")
SCORES = {"dent": 0.91, "good": -0.2}
DENT = FileAnswer(Path("d/x/1.jpg"), Classification("dent", True, SCORES, ["dent/7.jpg"], True))
NONE = FileAnswer(Path("d/x/2.jpg"), Classification("dent", False, SCORES, ["dent/7.jpg"], True))
UNUSABLE = FileAnswer(Path("d/x/3.jpg"), None, "d/x/3.jpg is empty")


@pytest.fixture
def out():
    return Console(file=io.StringIO(), width=100)


@pytest.mark.parametrize(
    ("answer", "truth", "line"),
    [
        (DENT, None, "x/1.jpg: dent (0.910), nearest image dent/7.jpg"),
        (DENT, "dent", "x/1.jpg: dent (0.910), nearest image dent/7.jpg"),
        (DENT, "good", "x/1.jpg: dent (0.910), nearest image dent/7.jpg; true class good"),
        (
            NONE,
            None,
            "x/2.jpg: unknown, nearest class dent (0.910), nearest image dent/7.jpg",
        ),
        (UNUSABLE, None, "d/x/3.jpg is empty"),
    ],
)
def test_a_line_for_each_image(out, answer, truth, line):
    show_answer(out, answer, truth)
    assert out.file.getvalue() == f"{line}\n"


def test_answers_as_json():
    assert answer_as_json(DENT, "good") == {
        "image": "d/x/1.jpg",
        "label": "dent",
        "known": True,
        "scores": SCORES,
        "nearest": ["dent/7.jpg"],
        "truth": "good",
    }
    assert answer_as_json(UNUSABLE) == {"image": "d/x/3.jpg", "problem": "d/x/3.jpg is empty"}


def test_a_tally_of_answers():
    tally = Tally()
    for answer, truth in ((DENT, "dent"), (NONE, "dent"), (UNUSABLE, "dent"), (DENT, "good")):
        tally.count(answer, truth)
    assert tally.sentence(2.0) == (
        "3 images (1.5 per second): 2 of a known class, 1 unknown; 1 files could not be used. "
        "1 of 3 are classified correctly."
    )


def test_a_tally_without_a_truth():
    tally = Tally()
    tally.count(DENT)
    assert tally.sentence(1.0) == "1 images (1.0 per second): 1 of a known class, 0 unknown."


def test_folders_are_classified_a_line_each(service, address, place):
    (place / "data/class-0/notes.txt").write_text("no image")
    result = siamese("classify", "data", "--server", address, "--name", "parts")
    assert result.exit_code == FAILED  # a file could not be used
    lines = result.everything.splitlines()
    assert lines[0] == "class-0/0.png: a (0.750), nearest image a/1.png"
    assert lines[3] == "data/class-0/notes.txt is no image, or of a kind that cannot be read"
    assert lines[-1].endswith("6 of a known class, 0 unknown; 1 files could not be used.")


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
    assert "0 of 4 are classified correctly." in result.everything
    assert "; true class class-" in result.everything


def test_nobody_at_home():
    result = siamese("classify", IMAGE, *SERVER)
    assert result.exit_code == FAILED
    assert "localhost:1 does not answer" in result.everything


def test_a_server_that_refuses(service, address):
    service.failures = [(grpc.StatusCode.NOT_FOUND, "Servable not found")]
    result = siamese("classify", IMAGE, "--server", address, "--name", "parts")
    assert result.exit_code == FAILED
    assert "has no such model or version: Servable not found" in result.everything


class Closed(io.StringIO):
    def write(self, text):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_a_reader_that_stops_early_is_no_error(address, monkeypatch, capsys):
    """As `siamese classify ... --json | head -1`."""
    monkeypatch.setattr(sys, "stdout", Closed())
    with pytest.raises(SystemExit) as ended:
        cli.main(["classify", "data", "--server", address, "--name", "parts", "--json"])
    assert ended.value.code == 1
    assert capsys.readouterr().err == ""
