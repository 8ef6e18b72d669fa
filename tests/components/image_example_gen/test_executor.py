"""The executor on Beam: every image arrives, or the run says why not."""

import apache_beam as beam
import pytest
from ingestion import ingest, value
from sample_images import encoded, picture, write_classes

from base.errors import DataError
from components.image_example_gen import beam_steps
from records import features
from records.lost import RecordsLost
from storage.spans import SpanRecord


@pytest.fixture
def root(tmp_path):
    write_classes(tmp_path / "data")
    return tmp_path / "data"


def test_every_image_arrives_once_as_it_was(root, tmp_path):
    report, records = ingest(root, tmp_path / "out")
    assert {split: len(found) for split, found in records.items()} == {
        "train": 18,
        "validation": 6,
        "test": 6,
    }
    assert report.classes["class-0"] == {"train": 6, "validation": 2, "test": 2}
    assert (report.files, report.usable, report.reencoded) == (30, 30, 0)
    every = [record for found in records.values() for record in found]
    assert len({value(record, features.IMAGE_ID) for record in every}) == 30
    for record in every:
        source = value(record, features.SOURCE).decode()
        assert value(record, features.IMAGE) == (root / source).read_bytes()
        assert value(record, features.LABEL).decode() == source.split("/")[0]
        assert (value(record, features.HEIGHT), value(record, features.WIDTH)) == (32, 32)
        assert set(record) == set(features.IMAGE_RECORD)


def test_records_lost_on_the_way_are_told_of(root, tmp_path, monkeypatch):
    expand = beam_steps.Records.expand

    def lossy(self, assigned):
        return expand(self, assigned | beam.Filter(_is_not_the_first))

    monkeypatch.setattr(beam_steps.Records, "expand", lossy)
    with pytest.raises(RecordsLost, match=r"split '\w+' has (5 of 6|17 of 18) images: Beam's"):
        ingest(root, tmp_path / "out")


def _is_not_the_first(assigned):
    return assigned.path != "class-0/0.png"


def test_too_many_bad_files_stop_the_run(root, tmp_path):
    for number in range(8):
        (root / "class-0" / f"empty-{number}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"8 of 38 files .* more than data\.max_unusable") as caught:
        ingest(root, tmp_path / "out", max_unusable=0.1)
    assert "class-0/empty-0.png is empty" in str(caught.value)


def test_an_empty_folder(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match="has no images; put them in one sub-folder per class"):
        ingest(tmp_path / "data", tmp_path / "out")


def test_one_class_only(tmp_path):
    write_classes(tmp_path / "data", classes=1)
    with pytest.raises(DataError, match=r"only one class \(class-0\) with usable images"):
        ingest(tmp_path / "data", tmp_path / "out")


def test_no_usable_image_at_all(tmp_path):
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "data" / "a" / "1.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="has no class with usable images") as caught:
        ingest(tmp_path / "data", tmp_path / "out")
    assert "\n  a/1.jpg is empty" in str(caught.value)


def test_the_newest_span_is_taken_and_the_first_names_the_classes(tmp_path):
    write_classes(tmp_path / "data" / "span-1", classes=3)
    write_classes(tmp_path / "data" / "span-2", classes=2, each=12)
    report, records = ingest(tmp_path / "data" / "span-{SPAN}", tmp_path / "out")
    assert report.root.endswith("span-2")
    assert sum(map(len, records.values())) == 24
    assert report.expected_classes == ["class-0", "class-1", "class-2"]
    assert report.classes["class-2"] == {"train": 0, "validation": 0, "test": 0}


def test_a_class_that_people_have_added_in_a_review_is_expected(tmp_path):
    write_classes(tmp_path / "data" / "span-1", classes=2)
    write_classes(tmp_path / "data" / "span-2", classes=3)
    SpanRecord(before=1, classes=["class-2"]).write(tmp_path / "data" / "span-2")
    report, _ = ingest(tmp_path / "data" / "span-{SPAN}", tmp_path / "out")
    assert report.expected_classes == ["class-0", "class-1", "class-2"]
    assert report.files == sum(sum(counts.values()) for counts in report.classes.values())


@pytest.mark.parametrize(
    ("now", "message"),
    [(encoded(picture(9, 9)), "it has another content now"), (b"half", "it is no image")],
)
def test_an_image_that_changes_while_it_is_read_stops_the_run(
    root, tmp_path, monkeypatch, now, message
):
    """Between its inspection and its record, as a camera overwrites the newest picture."""
    described = beam_steps.describe

    def overwriting(inspected):
        if inspected.source.path == "class-1/3.png":
            (root / "class-1/3.png").write_bytes(now)
        return described(inspected)

    monkeypatch.setattr(beam_steps, "describe", overwriting)
    with pytest.raises(DataError, match=rf"^class-1/3\.png was changed .*: {message}.*; run again"):
        ingest(root, tmp_path / "out")
