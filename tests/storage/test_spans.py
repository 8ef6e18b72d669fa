from __future__ import annotations

from pathlib import Path

import pytest

from storage import spans
from storage.file_systems import Entry
from storage.spans import SpanRecord, current_root, newest_span


@pytest.mark.parametrize(
    ("pattern", "folders", "newest", "following"),
    [
        ("d/span-{SPAN}", ["d/span-2", "d/span-10", "d/.span-11"], "d/span-10", "d/span-11"),
        ("d/span-{SPAN}", ["d/span-007", "d/span-x", "d/spare-9"], "d/span-007", "d/span-008"),
        ("d/{SPAN}", ["d/1", "d/notes"], "d/1", "d/2"),
        ("d/{SPAN}-new/in", ["d/3-new/in", "d/4-new", "d/9"], "d/3-new/in", "d/4-new/in"),
        ("span-{SPAN}", ["span-1"], "span-1", "span-2"),
    ],
)
def test_the_newest_span_and_the_next(tmp_path, monkeypatch, pattern, folders, newest, following):
    monkeypatch.chdir(tmp_path)
    for folder in folders:
        Path(folder).mkdir(parents=True)
    for place in ("", f"{tmp_path}/"):
        span = newest_span(place + pattern)
        assert span.root == Path(place + newest)
        assert span.next().root == Path(place + following)
        assert span.root == span.folder or span.root.parent == span.folder
        assert current_root(place + pattern) == str(Path(place + newest))


def test_without_a_span_there_is_none(tmp_path):
    assert newest_span(f"{tmp_path}/span-{{SPAN}}") is None
    assert newest_span(f"{tmp_path}/missing/span-{{SPAN}}") is None
    assert current_root(str(tmp_path)) == str(tmp_path)


def test_the_newest_span_at_an_address(monkeypatch):
    places = {
        "s3://b/d": [Entry("span-2", True), Entry("span-10", True), Entry("span-11", False)],
        "s3://b/d/span-2/in": [],
    }
    monkeypatch.setattr(spans, "list_entries", places.get)
    monkeypatch.setattr(spans, "is_folder", places.__contains__)
    assert current_root("s3://b/d/span-{SPAN}") == "s3://b/d/span-10"
    assert current_root("s3://b/d/span-{SPAN}/in") == "s3://b/d/span-2/in"
    assert current_root("s3://b/other-{SPAN}") == "s3://b/other-{SPAN}"


def test_a_record_comes_back_as_it_was(tmp_path):
    assert SpanRecord.read(str(tmp_path)) is None
    record = SpanRecord(before=1, added={"a/1": "00"}, classes=["a"])
    (tmp_path / SpanRecord.FILE).write_text(record.model_dump_json())
    assert SpanRecord.read(str(tmp_path)) == record
