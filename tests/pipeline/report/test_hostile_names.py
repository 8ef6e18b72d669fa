"""Names of classes and files that mean harm are text in the report."""

import re

from components.image_example_gen.report import ExcludedFile
from pipeline.config.reading import parse
from pipeline.report.report import MODEL_CARD, Findings
from tests.pipeline.report.findings import summary
from tests.pipeline.report.page import written

HOSTILE = "<script>alert(1)</script>\u202e\"'|`*_[x](http://x.y)\n# {{ 7 * 7 }}\udcff"


def hostile(judgement):
    """The judgement of classes and files with names that mean harm."""
    text = judgement.model_dump_json()
    safe = HOSTILE.encode("utf-8", "backslashreplace").decode()
    quoted = (
        safe.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    )  # fmt: skip
    return type(judgement).model_validate_json(text.replace("c0", quoted))


def test_what_users_write_is_text(judgement, tmp_path):
    config = parse({"name": "parts", "data": {"root": "data/<script>"}})
    data = summary().data.model_copy(
        update={
            "root": HOSTILE,
            "classes": {HOSTILE: {"train": 1, "validation": 1, "test": 1}},
            "excluded": [ExcludedFile(path=HOSTILE, reason=HOSTILE)] * 2,
            "near_duplicates": [[HOSTILE, HOSTILE]],
        }
    )
    found = Findings(
        HOSTILE, summary(data=data, failure=HOSTILE), hostile(judgement), config, "data"
    )
    page, text = written(tmp_path, found)
    assert len(page.all("script")) == 1  # the page's own
    assert not any(value.startswith("http") for t, a in page.tags for n, value in a.items()
                   if n in ("src", "href"))  # fmt: skip
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in text  # it would turn the writing's direction
    assert "49" not in re.findall(r"# (\S+)", page.text)
    card = (tmp_path / MODEL_CARD).read_text(encoding="utf-8")
    assert "<script" not in card
    assert "\u202e" not in card
    assert "[x](" not in card.replace("\\[x\\](", "")
    rows = [line for line in card.splitlines() if line.startswith("|") and "alert" in line]
    assert rows
    # Nor do they make columns: in each table all rows have as many.
    columns = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert set(columns) <= {7, 5}
    assert "\n# \\{" not in card
