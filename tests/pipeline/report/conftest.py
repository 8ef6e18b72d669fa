"""A whole run, and its report."""

import pytest

from pipeline.config.reading import parse
from pipeline.report.report import MODEL_CARD, Findings
from tests.pipeline.report.findings import judged, summary
from tests.pipeline.report.page import written


@pytest.fixture(scope="session")
def judgement():
    return judged()


@pytest.fixture(scope="session")
def whole(judgement, tmp_path_factory):
    """Page, its text, and the model card of a whole run."""
    folder = tmp_path_factory.mktemp("run")
    config = parse({"name": "parts", "data": {"root": "data"}, "seed": 4242})
    found = Findings("parts", summary(judgement), judgement, config)
    page, text = written(folder, found)
    return page, text, (folder / MODEL_CARD).read_text(encoding="utf-8")
