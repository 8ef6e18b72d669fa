from datetime import datetime, timezone

import pytest

from pipeline.config.reading import load, parse
from pipeline.runs import run_folders
from pipeline.runs.folder_lock import locked
from pipeline.runs.outcome import Outcome
from pipeline.runs.run_folders import NoSuchRun, create_run_folder, find_run, list_runs
from pipeline.runs.summary import Summary


@pytest.fixture
def root(tmp_path):
    """A pipeline with a failed run, an interrupted one, and the newest, which wrote nothing."""
    for name in ("20260101-000000", "20260102-000000", "20260102-000000-10", "20260102-000000-9"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.yaml").touch()
    started = datetime(2026, 1, 1, tzinfo=timezone.utc)
    summary = Summary(name="mine", started=started, failure="no disk", serving_root="s")
    summary.write(tmp_path / "runs/20260101-000000")
    return tmp_path


def test_every_folder_with_a_configuration_is_a_run_and_the_newest_comes_first(root):
    (root / "runs/backup").mkdir()
    assert [run.id for run in list_runs(root, "mine")] == [
        "20260102-000000-10", "20260102-000000-9", "20260102-000000", "20260101-000000",
    ]  # fmt: skip
    assert [run.id for run in list_runs(root, "mine", 1)] == ["20260102-000000-10"]


def test_a_run_is_running_while_a_process_holds_the_lock(root):
    before = [run.outcome for run in list_runs(root, "mine")]
    assert before == [Outcome.INTERRUPTED] * 3 + [Outcome.FAILED]
    with locked(root):
        during = [run.outcome for run in list_runs(root, "mine")]
    assert during == [Outcome.RUNNING, *before[1:]]
    assert [run.outcome for run in list_runs(root, "mine")] == before


def test_a_run_that_ends_meanwhile_is_not_taken_for_interrupted(root, monkeypatch):
    newest = root / "runs/20260102-000000-10"
    started = datetime(2026, 1, 2, tzinfo=timezone.utc)

    def end(_):
        Summary(name="mine", started=started, failure="no disk", serving_root="s").write(newest)
        return False

    monkeypatch.setattr(run_folders, "is_locked", end)
    assert list_runs(root, "mine")[0].outcome is Outcome.FAILED


def test_a_run_that_starts_meanwhile_does_not_make_an_older_one_running(root, monkeypatch):
    def start(_):
        (root / "runs/20260103-000000").mkdir()
        (root / "runs/20260103-000000/config.yaml").touch()
        return True

    monkeypatch.setattr(run_folders, "is_locked", start)
    newest, older, *_ = list_runs(root, "mine")
    assert (newest.id, newest.outcome) == ("20260103-000000", Outcome.RUNNING)
    assert older.outcome is Outcome.INTERRUPTED


def test_a_run_that_began_has_its_start(root):
    assert list_runs(root, "mine")[0].started == datetime(2026, 1, 2, tzinfo=timezone.utc)


def test_runs_are_found_by_id(root):
    assert find_run(root, "mine").id == find_run(root, "mine", "latest").id == "20260102-000000-10"
    assert find_run(root, "mine", "previous").id == "20260102-000000-9"
    assert find_run(root, "mine", "20260101-000000").failure == "no disk"
    with pytest.raises(NoSuchRun, match="mine has no run 7; the latest is 20260102-000000-10"):
        find_run(root, "mine", "7")
    with pytest.raises(NoSuchRun, match=r"other has no runs in .*; start one: siamese run"):
        find_run(root / "other", "other")


def test_a_folder_whose_configuration_cannot_be_written_is_no_run(tmp_path, monkeypatch):
    def fail(self, text, encoding):
        self.touch()
        raise OSError("no space left")

    monkeypatch.setattr(run_folders.Path, "write_text", fail)
    config = parse({"output": str(tmp_path), "data": {"root": "data"}})
    with pytest.raises(OSError, match="no space left"):
        create_run_folder(config)
    assert list_runs(config.root, "mine") == []


def test_a_new_folder_is_the_newest_and_keeps_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = parse({"name": "mine", "data": {"root": "data"}})
    first, second = create_run_folder(config), create_run_folder(config)
    assert [run.id for run in list_runs(config.root, "mine")] == [second.name, first.name]
    kept = load(first / "config.yaml")
    assert (kept.data.root, kept.output) == (str(tmp_path / "data"), str(tmp_path / "runs"))
