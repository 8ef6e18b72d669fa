"""`siamese classify -o`, `embed` and `search` against a fake service in this process."""

import csv
import json
import os
import signal
import subprocess
import time

import grpc
import numpy as np
import pytest
from command_line import SIAMESE, siamese

from pipeline.terminal.console import FAILED, WRONG_USE


@pytest.fixture
def server(address):
    return ("--server", address, "--name", "parts")


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def images_asked_about(service):
    return sum(len(each.inputs["image"].string_val) for each in service.requests)


def test_a_table_of_a_folder(place, server):
    (place / "data/class-0/notes.txt").write_text("no image")
    result = siamese("classify", "data", *server, "-o", "answers.csv")
    assert result.exit_code == FAILED  # a file could not be used
    assert result.stdout == ""
    assert "answers.csv has 7 rows" in result.stderr
    rows = table(place / "answers.csv")
    assert [row["image"] for row in rows][:4] == [
        *(f"data/class-0/{number}.png" for number in range(3)),
        "data/class-0/notes.txt",
    ]
    assert (rows[0]["label"], rows[0]["model_version"]) == ("a", "7")
    assert rows[3]["problem"].endswith("is no image, or of a kind that cannot be read")
    assert not (place / "answers.csv.partial").exists()


def test_a_run_that_failed_goes_on_without_asking_twice(place, service, server):
    arguments = ("classify", "data", *server, "-o", "data/answers.parquet", "--batch-size", "1")
    service.failures = [None, None, (grpc.StatusCode.PERMISSION_DENIED, "no token")]
    first = siamese(*arguments, "--in-flight", "1")
    assert first.exit_code == FAILED
    assert "no token" in first.stderr
    assert "answers.parquet.partial keeps 2 answers: the same command goes on" in first.stderr
    assert not (place / "data/answers.parquet").exists()
    asked = images_asked_about(service)
    second = siamese(*arguments)
    assert second.exit_code == 0, second.everything
    assert "has 2 answers of a run that was stopped; going on" in second.stderr
    assert images_asked_about(service) - asked == 4
    from pyarrow import parquet

    rows = parquet.read_table(place / "data/answers.parquet").to_pylist()
    assert len({row["image"] for row in rows}) == len(rows) == 6


def test_another_question_does_not_go_on(place, service, server):
    service.failures = [None, (grpc.StatusCode.PERMISSION_DENIED, "no token")]
    one_by_one = ("--batch-size", "1", "--in-flight", "1")
    siamese("classify", "data", *server, "-o", "a.csv", *one_by_one)
    result = siamese("classify", "data", *server, "-o", "a.csv", "--known-threshold", "0.5")
    assert result.exit_code == WRONG_USE
    assert "a.csv.partial: has the answers to something else" in result.stderr


def test_a_killed_run_goes_on(place, service, server):
    """A process of its own, killed while it waits for its fifth answer."""
    service.failures = [None] * 4
    service.stop_after = 4
    arguments = ["classify", "data", *server, "-o", "a.csv", "--batch-size=1", "--in-flight=1"]
    process = subprocess.Popen([SIAMESE, *arguments], stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while len(service.requests) < 5 and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    service.gate.set()
    service.stop_after = None
    assert len((place / "a.csv.partial").read_text().splitlines()) == 1 + 4
    asked = len(service.requests)
    assert siamese(*arguments).exit_code == 0
    assert len(service.requests) - asked == 2
    assert len(table(place / "a.csv")) == 6


def test_files_are_sorted_into_folders(place, service, server):
    (place / "data/class-0/notes.txt").write_text("no image")
    result = siamese("classify", "data", *server, "--sort-into", "sorted")
    assert result.exit_code == FAILED
    found = {str(p.relative_to(place / "sorted")) for p in (place / "sorted").rglob("*.*")}
    assert found == {
        "answers.csv",
        "not an image/class-0/notes.txt",
        *(f"a/class-{label}/{number}.png" for label in range(2) for number in range(3)),
    }


def test_images_that_are_unknown_have_their_folder(place, server):
    siamese("classify", "data", *server, "--sort-into", "sorted", "--known-threshold", "0.9")
    assert len(list((place / "sorted/unknown").rglob("*.png"))) == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "answers.txt"], "must end in .csv or .parquet"),
        (["-o", "none/answers.csv"], "there is no folder none"),
        (["--sort-into", "data/sorted"], "is inside of data"),
        (["--sort-into", "runs"], "is not an empty folder"),
        (["-o", "a.csv", "--json"], "go with neither"),
    ],
)
def test_wrong_use_asks_nothing(place, service, server, arguments, message):
    result = siamese("classify", "data", *server, *arguments)
    assert result.exit_code == WRONG_USE
    assert message in result.stderr
    assert not service.requests


def test_nothing_is_left_where_nothing_was_answered(place):
    siamese("classify", "data", "--server", "localhost:1", "-o", "a.csv")
    assert not list(place.glob("a.csv*"))


def test_a_token_is_read_from_a_file(place, service, server):
    (place / "token").write_text("secret\n")
    siamese("classify", "data", *server, "-o", "a.csv", "--token-file", "token")
    assert ("authorization", "Bearer secret") in service.metadata[0]
    result = siamese("classify", "data", *server, "--token-file", "none")
    assert "none: cannot be read" in result.stderr


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_embeddings_are_written_and_searched(place, service, server, kind):
    (place / "data/empty.png").touch()
    assert siamese("embed", "data", *server, "-o", f"e.{kind}").exit_code == 0
    result = siamese("search", f"e.{kind}", "--like", "data/class-0/0.png", *server, "-n", "2")
    assert result.exit_code == 0, result.everything
    first = result.stdout.splitlines()[0]
    assert first.startswith("1.000  data/class-")
    assert images_asked_about(service) == 6 + 1


def test_a_folder_is_searched_without_a_table(server):
    like = ("--like", "data/class-0/0.png", "--like", "data/class-1/0.png")
    result = siamese("search", "data", *like, *server, "--json")
    first, second = map(json.loads, result.stdout.splitlines())
    assert (first["like"], second["like"]) == like[1::2]
    assert [each["similarity"] for each in first["nearest"]] == [1.0] * 6


def test_embeddings_of_another_version_are_refused(place, service, server):
    np.savez(place / "e.npz", image=["a"], embedding=np.ones([1, 3], "f"), model_version=[6])
    result = siamese("search", "e.npz", "--like", "data/class-0/0.png", *server)
    assert result.exit_code == WRONG_USE
    assert "of the model's version 6, the server answered with 7; embed again" in result.stderr
