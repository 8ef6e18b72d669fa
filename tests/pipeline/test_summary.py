from datetime import datetime, timezone

import pytest

from pipeline.summary import Metric, Summary


@pytest.mark.parametrize(
    ("value", "least", "passed"),
    [(0.9, 0.9, True), (0.89, 0.9, False), (0.1, None, True), (float("nan"), 0.1, False)],
)
def test_a_metric_passes_at_its_threshold(value, least, passed):
    assert Metric(name="auc", value=value, least=least).passed is passed


def test_is_kept_in_the_runs_folder(tmp_path):
    summary = Summary(
        name="x",
        started=datetime(2026, 1, 1, tzinfo=timezone.utc),
        serving_root="s",
        metrics=[Metric(name="precision", value=float("nan"), least=0.5)],
    )
    assert Summary.read(tmp_path) is None
    summary.write(tmp_path)
    again = Summary.read(tmp_path)
    assert again.model_dump_json() == summary.model_dump_json()
    assert again.reasons == ["precision nan is below 0.5000"]
