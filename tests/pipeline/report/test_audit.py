from sample_images import encoded, picture

from images.audit.findings import Audit, Example, Finding
from pipeline.report.report import Findings
from tests.pipeline.report.page import written


def test_findings_have_pictures(tmp_path):
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(encoded(picture(0, int(name[0]))))
    twice = Example(path="1.png", label="a", others=("2.png",), other_labels=("b",))
    finding = Finding(
        kind="contradiction", grade="warning", text="1 picture has more than one class",
        advice="Decide.", files=1, examples=(twice,),
    )  # fmt: skip
    audit = Audit(
        root=str(tmp_path), files=2, audited=2, classes={"a": 1, "b": 1}, findings=(finding,)
    )
    page, text = written(tmp_path, Findings("parts", audit=audit))
    assert "Warning: 1 picture has more than one class" in page.text
    assert text.count("<img") == 2
    page, text = written(
        tmp_path, Findings("parts", audit=audit.model_copy(update={"findings": ()}))
    )
    assert "No findings." in page.text
