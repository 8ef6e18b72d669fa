import io

from rich.console import Console

from images.audit.findings import Audit, Example, Finding
from pipeline.terminal.audit import show_audit


def shown(findings=(), **fields):
    console = Console(file=io.StringIO(), width=80)
    found = Audit(root="data", files=40, audited=40, classes={"a": 20, "b": 20}, findings=findings)
    show_audit(console, found.model_copy(update=fields))
    return console.file.getvalue()


def test_findings_fit_80_columns():
    long = "folder/" + "x" * 90 + ".png"
    finding = Finding(
        kind="copies", grade="note", text="Text " * 30, advice="Advice " * 20, files=5,
        examples=(Example(path=long, label="a", others=(long,)),) * 5,
    )  # fmt: skip
    text = shown((finding,))
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("Advice") == 20
    assert "0 warnings (!), 1 note (-)" in text


def test_no_findings_and_a_sample_are_said():
    text = shown(audited=30, classes={f"class-{i}": 2 for i in range(20)})
    assert "No findings." in text
    assert "a sample of 30" in text
    assert "8 more with 2 to 2" in text
