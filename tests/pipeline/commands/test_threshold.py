"""The command on a small model; `tests/serving/test_threshold.py` has the new version itself."""

import json
import shutil

import pytest
from command_line import siamese

from pipeline.terminal.console import WRONG_USE
from storage.lineage import read_lineage


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give one of --false-accepts, --value, and --missed with --false-alarm"),
        (["--value", "0.5", "--false-accepts", "0.1"], "give one of --false-accepts"),
        (["--missed", "10"], "--missed and --false-alarm belong together"),
        (["--missed", "0", "--false-alarm", "1"], "a cost must be above 0"),
        (["--value", "0.5", "--output", "s3://bucket/models"], "is not on this machine"),
    ],
)
def test_wrong_use_is_one_sentence_and_2(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    result = siamese("threshold", "--model", "m", "--images", "i", *options)
    assert result.exit_code == WRONG_USE
    assert message in result.everything


@pytest.fixture
def place(tmp_path, tmp_path_factory, monkeypatch):
    """A folder with an exported model `models` and labelled images `labelled`."""
    from exported_model import SIZE, SPREAD, exported_once
    from sample_images import picture

    monkeypatch.chdir(tmp_path)
    shutil.copytree(exported_once(tmp_path_factory), tmp_path / "models" / "1")
    for label in range(3):
        folder = tmp_path / "labelled" / f"class-{label}"
        folder.mkdir(parents=True)
        for number in range(20, 30):
            picture(label, number, SIZE, SPREAD).save(folder / f"{number}.png")
    monkeypatch.setattr("pipeline.commands.threshold.check_served", lambda *_: None)
    return tmp_path


def test_the_next_version_and_what_it_costs(place):
    asked = ("--model", "models", "--images", "labelled")
    told = siamese("threshold", *asked, "--missed", "10", "--false-alarm", "1", "--json")
    assert told.exit_code == 0, told.everything
    found = json.loads(told.stdout)
    assert found["version"].endswith("/models/2")
    assert found["of"] == "same"
    assert found["before"]["value"] == 0.5 != found["after"]["value"]
    assert found["after"]["false_accepts"]["value"] <= found["before"]["false_accepts"]["value"]
    assert set(found["after"]["false_accepts"]) == {"value", "low", "high", "images", "classes"}
    assert "to" in found["after"]["cost"]

    limited = siamese("threshold", *asked, "--false-accepts", "0", "--of", "known")
    assert limited.exit_code == 0, limited.everything
    assert "false accepts" in limited.everything
    assert "/models/3" in limited.everything
    lineage = read_lineage(place / "models" / "3")
    assert lineage.parent == "2"
    assert lineage.verdict.on == "labelled"
    assert "class_accuracy" in lineage.verdict.figures

    (place / "gate.yaml").write_text("recall: 0.99\n")
    refused = siamese("threshold", *asked, "--value", "1", "--thresholds", "gate.yaml")
    assert refused.exit_code in (3, 4), refused.everything
    assert "and was not written" in refused.everything
    assert sorted(path.name for path in (place / "models").iterdir()) == ["1", "2", "3"]
