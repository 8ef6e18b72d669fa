from __future__ import annotations

import csv
import shutil

import pytest
from command_line import siamese
from exported_model import exported_once, write_images

from pipeline.classify_on_beam import Classifier, classify_on_beam
from records.lost import RecordsLost


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A configuration whose model has been pushed as version 3, and images of two classes."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copytree(exported_once(tmp_path_factory), folder / "runs" / "parts" / "serving" / "3")
    for label in range(2):
        write_images(folder / "new" / str(label), label, range(20, 23))
    (folder / "new" / "broken.jpg").write_bytes(b"no image")
    (folder / "c.yaml").write_text(
        f"name: parts\noutput: {folder / 'runs'}\ndata: {{root: {folder / 'new'}}}\n"
    )
    return folder


def test_a_folder_becomes_a_table(place):
    output = place / "answers.csv"
    found = siamese(
        "classify", place / "new", "--on-beam", "--config", place / "c.yaml", "-o", output
    )
    assert found.exit_code == 1, found.everything  # as without Beam: a file could not be used
    assert "6 images" in found.stderr
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == sorted(row["image"] for row in rows)
    by_class = {row["image"].split("/")[-2]: row["label"] for row in rows if row["label"]}
    assert by_class == {"0": "class-0", "1": "class-1"}
    assert {row["model_version"] for row in rows if row["label"]} == {"3"}
    assert "broken.jpg" in next(row["problem"] for row in rows if not row["label"])
    assert not list((place / "runs").glob("**/classified-*"))


class _Nothing(Classifier):
    """Answers without a model."""

    def __init__(self):
        super().__init__("")

    def load_model(self):
        return None

    def run_inference(self, batch, model, inference_args=None):
        return ["{}" for _ in batch]


def test_lost_answers_are_an_error(place, monkeypatch):
    monkeypatch.setattr("pipeline.classify_on_beam._rows", lambda prefix: iter([]))
    with pytest.raises(RecordsLost, match="0 of 1 files"):
        classify_on_beam(_Nothing(), ["a.png"], [], str(place), place / "lost.csv")
    assert not (place / "lost.csv").exists()


@pytest.mark.parametrize("arguments", [(), ("--output", "a.csv"), ("--config", "c.yaml")])
def test_wrong_use(place, arguments, monkeypatch):
    monkeypatch.chdir(place)
    found = siamese("classify", "new", "--on-beam", *arguments)
    assert found.exit_code == 2
    assert "--on-beam needs --output and --config" in found.everything


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--version", "99"), "holds no version 99"),
        (("--label", "stable"), "no version has the label 'stable'"),
        (("--label", "stable", "--version", "1"), "--version or --label, not both"),
        (("--name", "parts"), "--name: only with --server"),
    ],
)
def test_the_version_is_chosen_as_elsewhere(place, monkeypatch, options, message):
    monkeypatch.chdir(place)
    arguments = ("--on-beam", "--config", "c.yaml", "-o", "b.csv", *options)
    found = siamese("classify", "new", *arguments)
    assert found.exit_code == 2
    assert message in found.everything
