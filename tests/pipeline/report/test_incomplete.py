"""The report of what failed, is missing, cannot be served, or could not be judged."""

import pytest
from judge_views import held_out, support_set

from judging.judge import judge
from judging.settings import JudgeSettings
from pipeline.report.report import MODEL_CARD, Findings
from pipeline.runs.history import Artifact, Component
from tests.pipeline.report.findings import judged, numbers_of, summary
from tests.pipeline.report.page import written


@pytest.mark.parametrize("parts", ["judgement alone", "run without a judgement", "nothing"])
def test_missing_parts_are_named(parts, judgement, tmp_path):
    if parts == "judgement alone":
        page, _ = written(tmp_path, Findings("a model", judgement=judgement))
        assert "Exported model" in page.text
        card = (tmp_path / MODEL_CARD).read_text(encoding="utf-8")
        assert all(value in card for value in numbers_of(judgement))
    elif parts == "run without a judgement":
        bare = summary(run=None, data=None, pairs={}, training=None)
        page, _ = written(tmp_path, Findings("parts", bare, None, None))
        assert "No verdict" in page.text
        titles = [attrs["href"] for attrs in page.all("a")]
        assert titles == ["#verdict", "#verdict", "#run"]  # no section is empty
        assert not (tmp_path / MODEL_CARD).exists()
    else:
        page, _ = written(tmp_path, Findings("parts"))
        assert "No verdict" in page.text


def test_a_run_that_failed_shows_why_and_what_there_is(judgement, tmp_path):
    failed = summary(failure="too many files\n  a.png <b>", training=None)
    page, text = written(tmp_path, Findings("parts", failed, None))
    assert "✗ Failed" in page.text
    assert "too many files\n  a.png &lt;b&gt;" in text
    assert "c0/broken.png" in page.text
    # It may have been judged before it failed, and must not look blessed.
    good = judged(spread=0.1, thresholds={"auc": 0.5})
    assert good.verdict.outcome == "blessed"
    page, text = written(tmp_path, Findings("parts", failed, good))
    assert "✗ Failed" in page.text
    assert "✓ Blessed" not in page.text
    card = (tmp_path / MODEL_CARD).read_text(encoding="utf-8")
    assert "**Failed**" in card
    assert "judged blessed: every threshold is reached." in card


def test_a_model_that_cannot_be_served_does_not_look_blessed(tmp_path):
    good = judged(spread=0.1, thresholds={"auc": 0.5})
    assert good.verdict.outcome == "blessed"
    run = summary().run
    for id_, properties in (
        ("Judge", {"verdict": "blessed"}),
        ("InfraCheck", {"problem": "no op"}),
    ):
        blessing = Artifact(uri=id_, properties=properties)
        run.components.append(Component(id=id_, outcome="done", outputs={"blessing": blessing}))
    page, _ = written(tmp_path, Findings("parts", summary(good, run=run), good))
    assert "✗ Not blessed" in page.text
    assert "InfraCheck failed: no op" in page.text
    card = (tmp_path / MODEL_CARD).read_text(encoding="utf-8")
    assert "**Not blessed**: InfraCheck failed: no op." in card


def test_what_could_not_be_judged_is_said(tmp_path):
    """One image of each of two classes, and no support set of them: hardly anything works."""
    images, view = held_out(classes=2, each=1, first=6, similarity=None)
    view = view._replace(support=support_set(2))
    found = judge(images, view, {}, None, None, JudgeSettings()).judgement
    page, _ = written(tmp_path, Findings("parts", judgement=found))
    assert "no class has two test images" in page.text
    assert "the model compares no pairs" in page.text
    assert "nan" not in page.text
