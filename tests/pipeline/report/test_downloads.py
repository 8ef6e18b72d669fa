import base64
import csv
import io

from pipeline.report import downloads
from tests.pipeline.report.findings import judged_with_outcomes


def rows(download):
    text = base64.b64decode(download.uri.partition(",")[2]).decode("utf-8")
    return list(csv.reader(io.StringIO(text)))


def test_files_hold_the_judgements_numbers(monkeypatch):
    judgement, outcomes = judged_with_outcomes()
    outcomes[0] = outcomes[0].model_copy(update={"source": "=HYPERLINK(1)"})
    found = {one.file: rows(one) for one in downloads.downloads(judgement, outcomes)}
    assert list(found) == ["metrics.csv", "classes.csv", "confusion.csv", "images.csv"]
    metrics = {key: float(value) for key, _, value, *_ in found["metrics.csv"][1:]}
    assert metrics.keys() == judgement.metrics.keys()
    assert abs(metrics["auc"] - judgement.metrics["auc"].value) < 1e-5
    assert len(found["images.csv"]) == 1 + len(outcomes)
    assert found["images.csv"][1][0] == "'=HYPERLINK(1)"  # text, not a formula
    monkeypatch.setattr(downloads, "MAX_ROWS", 20)
    assert "images.csv" not in [one.file for one in downloads.downloads(judgement, outcomes)]
