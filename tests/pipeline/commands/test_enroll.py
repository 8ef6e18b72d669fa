"""The command; `tests/serving/enroll` has what it does."""

import json
from pathlib import Path

import pytest
from command_line import siamese
from judge_views import held_out
from judged_runs import judged

from judging.judgement import Verdict
from pipeline.terminal.console import FAILED, WRONG_USE
from storage.lineage import read_lineage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "x"], "--name needs exactly one --images"),
        (["--images", "a", "--images", "b/a"], "are of the same class"),
        (["--images", "data"], "m: there is no such folder"),
        (["--images", "data", "--thresholds", "t"], "--thresholds needs --test"),
        (["--images", "data", "--config", "c.yaml"], "--config needs --test"),
        (["--images", "data", "--test", "s3://b/t"], "--test s3:/b/t: is not on this machine"),
        (["--images", "data", "--test", "none"], "--test none: there is no such folder"),
        (["--move-image", "a/1.png"], "write it as NAME=CLASS"),
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
        changed=0,
        before={"good": (4, 5)},
        after={"[dent]": (3, 3), "good": (4, 5)},
    )

    def enrolling(*given, changes):
        asked.append((*given[:-1], *([changes] if changes != enroll.Changes(frozenset()) else [])))
        return done

    monkeypatch.setattr(enroll, "enroll", enrolling)
    return asked


def test_enroll_says_what_it_wrote(monkeypatch):
    asked = enrolled(monkeypatch)
    result = siamese("enroll", "--model", "m", "--images", "new/[dent]", "--remove", "old")
    assert result.exit_code == 0
    assert asked == [(Path("m"), {"[dent]": Path("new/[dent]")}, ["old"], None, False)]
    assert "removed 'old', added 3 images to '[dent]'" in result.everything
    assert "[dent] 3, good 5" in result.everything
    assert "classified by the others: 4 of 5 before, 7 of 8 now" in result.everything
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
        "changed": 0,
        "before": {"good": [4, 5]},
        "after": {"[dent]": [3, 3], "good": [4, 5]},
    }


def test_single_support_images(monkeypatch):
    from serving.enroll import Changes

    asked = enrolled(monkeypatch)
    siamese("enroll", "--model", "m", "--remove-image", "a/1.png", "--move-image", "a/x=2.png=b")
    assert asked[0][-1] == Changes(frozenset({"a/1.png"}), {"a/x=2.png": "b"})


def test_enroll_says_why_it_cannot(monkeypatch):
    from serving import enroll

    def refuse(*_, **__):
        raise enroll.EnrollError("m/1: has 'dent' already")

    monkeypatch.setattr(enroll, "enroll", refuse)
    result = siamese("enroll", "--model", "m", "--images", "dent")
    assert result.exit_code == WRONG_USE
    assert "m/1: has 'dent' already" in result.everything


def test_a_version_that_cannot_be_served_is_not_written(monkeypatch):
    from serving import enroll, infra_check

    def refuse(version_dir, images, engine):
        raise infra_check.InfraCheckError(f"{version_dir.name} answers otherwise")

    def write(*given, **_):
        given[-1](Path("base/2"), [])

    monkeypatch.setattr(infra_check, "infra_check", refuse)
    monkeypatch.setattr(enroll, "enroll", write)
    result = siamese("enroll", "--model", "m", "--images", "dent")
    assert result.exit_code == FAILED
    assert "cannot be served, and was not written: 2 answers otherwise" in result.everything


@pytest.mark.parametrize(("outcome", "code"), [("blessed", 0), ("undecided", 4)])
def test_with_test_images_the_gate_judges_before_the_version_is_written(
    monkeypatch, tmp_path, outcome, code
):
    from pipeline.commands import served_check as command
    from serving import enroll

    candidate, steps = tmp_path / "2", []
    (candidate / "assets.extra").mkdir(parents=True)
    verdict = Verdict(outcome=outcome, checks=(), reasons=("so it is",))
    judgement = judged(held_out(classes=4, each=12)).judgement.model_copy(
        update={"verdict": verdict}
    )
    monkeypatch.setattr(command, "check_served", lambda *_: steps.append("served"))
    monkeypatch.setattr(
        command, "judge_version", lambda version, images, *_: steps.append(images) or judgement
    )

    def write(*given, **_):
        given[-1](candidate, [])
        return enroll.Enrolled(Path("m/1"), Path("m/2"), {}, {}, [], [], 0, {}, {})

    monkeypatch.setattr(enroll, "enroll", write)
    result = siamese("enroll", "--model", "m", "--images", "new", "--test", str(tmp_path))
    assert result.exit_code == code
    assert steps == ["served", tmp_path]
    lineage = read_lineage(candidate)
    assert bool(lineage and lineage.verdict.outcome == "blessed") == (code == 0)
    assert ("undecided, and was not written: so it is" in result.everything) == (code == 4)
