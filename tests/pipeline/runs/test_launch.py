from datetime import datetime, timezone

import pytest

from base.errors import DataError
from pipeline.config.reading import parse
from pipeline.runs import launch
from pipeline.runs.launch import explain, message_for_people, write_findings
from pipeline.runs.summary import Summary
from trainer.errors import WeightsError


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DataError("class 'a' is missing"), "class 'a' is missing"),
        (
            DataError("two lines:\n  one file [while running 'Read/Map'] [while running 'X']"),
            "two lines:\n  one file",
        ),
        (WeightsError("no weights"), "no weights"),
        (
            RuntimeError(
                "Traceback (most recent call last):\n  File 'x.py', line 1\n"
                "base.errors.DataError: the same content is in two splits\n"
                "  a.png [while running 'NoLeak/Check']"
            ),
            "the same content is in two splits\n  a.png",
        ),
        (
            RuntimeError(
                "Traceback (most recent call last):\n  File 'x.py', line 1\n"
                "base.errors.DataError: too many files\n  a.png\n\n"
                "During handling of the above exception, another exception occurred:\n\n"
                "Traceback (most recent call last):\n  File 'y.py', line 2\n"
                "base.errors.DataError: too many files\n  a.png [while running 'Read']"
            ),
            "too many files\n  a.png",
        ),
        (
            RuntimeError(
                "base.errors.DataError: too many files\n\n"
                "During handling of the above exception, another exception occurred:\n\n"
                "Traceback (most recent call last):\n  File 'y.py', line 2\nRuntimeError: Read"
            ),
            "too many files",
        ),
        (ValueError("bad shape [2]\n\t [[{{node x/MatMul}}]]"), "ValueError: bad shape [2]"),
        (KeyError("x"), "KeyError: 'x'"),
        (ValueError("first line\nlast line"), "ValueError: last line"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_errors_in_words(error, words):
    assert explain(error) == words


def test_an_error_of_ours_is_found_where_it_is_the_cause():
    error = RuntimeError("a component failed")
    error.__cause__ = DataError("class 'a' is missing")
    assert explain(error) == "class 'a' is missing"


def test_only_errors_of_ours_need_no_log():
    assert message_for_people(DataError("x")) == "x"
    assert message_for_people(ValueError("x")) is None


def test_a_report_that_fails_costs_a_run_nothing(tmp_path, capsys):
    config = parse({"name": "x", "data": {"root": "d"}})
    summary = Summary(name="x", started=datetime.now(timezone.utc), serving_root="s")
    write_findings(tmp_path, summary, config)
    assert Summary.read(tmp_path).report == str(tmp_path / "report.html")
    assert (tmp_path / "report.html").is_file()
    (tmp_path / "judgement.json").write_text("{")
    write_findings(tmp_path, summary, config)
    assert Summary.read(tmp_path).report is None
    assert "Traceback" in capsys.readouterr().err


def test_a_damaged_database_is_why_a_run_fails(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(f"name: parts\ndata: {{root: {tmp_path}}}\n")
    (tmp_path / "runs/parts").mkdir(parents=True)
    (tmp_path / "runs/parts/metadata.sqlite").write_bytes(b"?" * 5000)
    assert launch.main(tmp_path) == 1
    summary = Summary.read(tmp_path)
    assert (
        "runs/parts/metadata.sqlite: is not a readable database of ML Metadata" in summary.failure
    )
    assert not summary.unexpected
