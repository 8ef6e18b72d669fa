import pytest
from command_line import siamese

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
