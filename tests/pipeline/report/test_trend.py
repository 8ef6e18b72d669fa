"""The last runs of a pipeline in the report of the newest."""

from pipeline.report.report import Findings
from pipeline.runs.history import Artifact, Component
from tests.pipeline.report.findings import summary
from tests.pipeline.report.page import written


def runs(judgement, count):
    found = []
    for i in range(count):
        one = summary(judgement, id=f"2026010{i}-120000")
        blessing = Artifact(uri="b", properties={"verdict": "undecided"})
        one.run.components.append(
            Component(id="Judge", outcome="done", outputs={"blessing": blessing})
        )
        found.append(one)
    return found


def test_earlier_runs_are_shown_with_their_outcomes(judgement, tmp_path):
    *earlier, latest = runs(judgement, 4)
    earlier[0] = earlier[0].model_copy(update={"metrics": {}})  # it failed before the Judge
    page, text = written(tmp_path, Findings("parts", latest, judgement, earlier=earlier))
    assert "20260100" not in page.text
    assert page.text.index("20260101-120000") < page.text.index("20260103-120000 (this run)")
    assert "? undecided" in page.text
    assert "Accuracy of the classes of the last runs, the latest last" in text


def test_one_run_has_no_trend(judgement, tmp_path):
    page, _ = written(tmp_path, Findings("parts", *runs(judgement, 1), judgement))
    assert "Last runs" not in page.text
