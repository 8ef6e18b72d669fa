import json

import pytest
from command_line import siamese

from pipeline.runs.folder_lock import locked
from pipeline.runs.summary import Summary
from pipeline.terminal.console import FAILED


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "my.yaml").write_text("name: mine\ndata: {root: data}\n")
    return tmp_path


def test_show_without_runs_says_how_to_start_one():
    result = siamese("show", "my.yaml")
    assert result.exit_code == FAILED
    assert "siamese run my.yaml" in result.everything


def test_runs_are_shown_by_the_id_that_run_prints(place):
    folder = place / "runs/mine/runs/20260102-000000"
    folder.mkdir(parents=True)
    (folder / "config.yaml").touch()
    assert "20260102-000000" in siamese("show", "my.yaml").everything
    with locked(place / "runs/mine"):
        [listed] = json.loads(siamese("show", "my.yaml", "--json").stdout)
    assert (listed["id"], listed["outcome"]) == ("20260102-000000", "running")
    shown = json.loads(siamese("show", "my.yaml", "--run", "20260102-000000", "--json").stdout)
    assert (shown["id"], shown["outcome"]) == ("20260102-000000", "interrupted")
    assert "Interrupted." in siamese("show", "my.yaml", "--run", "latest").everything


def test_a_run_that_failed_says_why(place):
    folder = place / "runs/mine/runs/20260102-000000"
    folder.mkdir(parents=True)
    (folder / "config.yaml").touch()
    assert siamese("show", "my.yaml", "--run", "latest").stdout.strip() == "Interrupted."
    Summary(
        id=folder.name, name="mine", started="2026-01-02T00:00:00Z", failure="no [disk]",
        serving_root="s",
    ).write(folder)  # fmt: skip
    told = siamese("show", "my.yaml", "--run", "latest").stdout
    assert told.strip() == "Failed: no [disk]"
