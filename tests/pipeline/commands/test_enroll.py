"""The command; `tests/serving/test_enroll.py` has what it does."""

import json
from pathlib import Path

import pytest
from command_line import siamese

from pipeline.terminal.console import FAILED, WRONG_USE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "x"], "--name needs exactly one --images"),
        (["--images", "a", "--images", "b/a"], "are of the same class"),
        (["--images", "data"], "m: there is no such folder"),
    ],
)
def test_wrong_use_is_one_sentence_and_2(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = siamese("enroll", "--model", "m", *arguments)
    assert result.exit_code == WRONG_USE
    assert message in result.everything


def enrolled(monkeypatch):
    """Stands in for the enrolling; returns what it is asked for."""
    from serving import enroll

    asked = []
    done = enroll.Enrolled(
        model=Path("m/1"),
        version=Path("m/2"),
        classes={"[dent]": 3, "good": 5},
        added={"[dent]": 3},
        removed=["old"],
        unusable=[enroll.Unusable(Path("new\n/x.jpg"), "is empty")],
    )
    monkeypatch.setattr(enroll, "enroll", lambda *given: asked.append(given[:-1]) or done)
    return asked


def test_enroll_says_what_it_wrote(monkeypatch):
    asked = enrolled(monkeypatch)
    result = siamese("enroll", "--model", "m", "--images", "new/[dent]", "--remove", "old")
    assert result.exit_code == 0
    assert asked == [(Path("m"), {"[dent]": Path("new/[dent]")}, ["old"], None, False)]
    assert "removed 'old', added 3 images to '[dent]'" in result.everything
    assert "[dent] 3, good 5" in result.everything
    assert "Written to m/2" in result.everything
    assert "new\\n/x.jpg is empty" in result.everything


def test_enroll_for_machines(monkeypatch):
    asked = enrolled(monkeypatch)
    options = ["--images", "new", "--name", "dent", "--extend", "--output", "o", "--json"]
    result = siamese("enroll", "--model", "m", *options)
    assert asked == [(Path("m"), {"dent": Path("new")}, (), Path("o"), True)]
    assert json.loads(result.stdout) == {
        "model": "m/1",
        "version": "m/2",
        "classes": {"[dent]": 3, "good": 5},
        "added": {"[dent]": 3},
        "removed": ["old"],
        "unusable": [{"file": "new\\n/x.jpg", "reason": "is empty"}],
    }


def test_enroll_says_why_it_cannot(monkeypatch):
    from serving import enroll

    def refuse(*_):
        raise enroll.EnrollError("m/1: has 'dent' already")

    monkeypatch.setattr(enroll, "enroll", refuse)
    result = siamese("enroll", "--model", "m", "--images", "dent")
    assert result.exit_code == WRONG_USE
    assert "m/1: has 'dent' already" in result.everything


def test_a_version_that_cannot_be_served_is_not_written(monkeypatch):
    from serving import enroll, infra_check

    def refuse(version_dir, images, engine):
        raise infra_check.InfraCheckError(f"{version_dir.name} answers otherwise")

    def write(*given):
        given[-1](Path("base/2"), [])

    monkeypatch.setattr(infra_check, "infra_check", refuse)
    monkeypatch.setattr(enroll, "enroll", write)
    result = siamese("enroll", "--model", "m", "--images", "dent")
    assert result.exit_code == FAILED
    assert "cannot be served, and was not written: 2 answers otherwise" in result.everything
