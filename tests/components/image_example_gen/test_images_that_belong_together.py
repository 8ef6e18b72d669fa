"""Images that belong together, on Beam: groups and near-duplicates share a split."""

from collections import Counter

import cv2
import pytest
from fixed_camera import photograph, recompressed, shots
from ingestion import ingest, splits_of_groups, value
from PIL import Image
from sample_images import encoded, picture, write_classes

from base.errors import DataError
from records import features


@pytest.fixture
def root(tmp_path):
    write_classes(tmp_path / "data")
    return tmp_path / "data"


def test_copies_and_mirrored_copies_share_a_split(root, tmp_path):
    for number in range(10):
        image = picture(0, number)
        (root / "class-0" / f"{number}-copy.png").write_bytes(encoded(image))
        mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        (root / "class-0" / f"{number}-mirrored.jpg").write_bytes(
            encoded(mirrored, "JPEG", quality=90)
        )
    report, records = ingest(root, tmp_path / "out")
    splits: dict[str, set[str]] = {}
    for split, found in records.items():
        for record in found:
            source = value(record, features.SOURCE).decode()
            if source.startswith("class-0"):
                number = source.split("/")[1].split(".")[0].split("-")[0]
                splits.setdefault(number, set()).add(split)
    assert len(splits) == 10
    assert all(len(found) == 1 for found in splits.values())
    assert Counter(len(group) for group in report.near_duplicates) == {3: 10}


def test_groups_and_the_copies_that_link_them_stay_together(root, tmp_path):
    """Nine patients, of which one is in two classes; a copy makes one of two others."""
    for label in range(3):
        for number in range(10):
            path = root / f"class-{label}" / f"{number}.png"
            path.rename(path.with_name(f"p{label}{number // 4}_{number}.png"))
    both = root / "class-1" / "p00_x.png"
    both.write_bytes(encoded(picture(1, 60)))
    copied = (root / "class-2" / "p20_0.png").read_bytes()
    (root / "class-2" / "p21_copy.png").write_bytes(copied)
    report, records = ingest(root, tmp_path / "out", group=r"(p\d+)_")
    found = splits_of_groups(records)
    assert len(found) == 8
    assert all(len(splits) == 1 for splits in found.values())
    assert sum(report.groups.values()) == 8
    assert report.groups["test"] == sum(splits == {"test"} for splits in found.values())
    assert all(of_class["train"] >= 2 for of_class in report.classes.values())


def test_a_class_that_is_one_group_is_named(root, tmp_path):
    (root / "class-1" / "p").mkdir()
    for label, name in (("class-0", ""), ("class-1", "p"), ("class-2", "")):
        for path in list((root / label).glob("*.png")):
            folder = root / label / (name or f"{label}-{path.stem}")
            folder.mkdir(exist_ok=True)
            path.rename(folder / path.name)
    report, _ = ingest(root, tmp_path / "out", group="sub_folder")
    assert report.classes["class-1"] == {"train": 10, "validation": 0, "test": 0}
    [warning] = report.warnings
    assert "All 10 images of class 'class-1' are one group (group p), so they" in warning
    assert "are in 'train' alone" in warning


def test_a_manifest_with_splits_and_groups(root, tmp_path):
    rows = ["path;label;split;group"]
    for label in range(3):
        for number in range(10):
            split = "train" if number < 6 else "validation" if number < 8 else "test"
            rows.append(f"class-{label}\\{number}.png;class-{label} ;{split};{split}{label}")
    (root / "labels.csv").write_text("\n".join(rows))
    report, records = ingest(root, tmp_path / "out", layout="manifest", manifest="labels.csv")
    assert report.groups == {"train": 3, "validation": 3, "test": 3}
    assert len(splits_of_groups(records)) == 9
    assert report.classes["class-2"] == {"train": 6, "validation": 2, "test": 2}


def test_copies_are_one_group_in_whatever_split_they_are_given(tmp_path):
    for split in features.SPLITS:
        write_classes(tmp_path / "data" / split, each=3)
        for label in range(3):
            for number in range(3):
                new = picture(label, features.SPLITS.index(split) * 10 + number)
                file = tmp_path / "data" / split / f"class-{label}" / f"{number}.png"
                file.write_bytes(encoded(new))
                file.with_name(f"{number} (1).png").write_bytes(encoded(new))
    report, records = ingest(tmp_path / "data", tmp_path / "out")
    assert {split: len(found) for split, found in records.items()} == dict.fromkeys(
        features.SPLITS, 18
    )
    assert report.groups == dict.fromkeys(features.SPLITS, 9)
    assert len(splits_of_groups(records)) == 27


CLASSES = ("good", "scratch", "dent")


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


@pytest.fixture
def fixed_camera(tmp_path):
    for number, pixels in enumerate(shots(36)):
        write(tmp_path / "data" / CLASSES[number % 3] / f"{number:02d}.png", pixels)
    return tmp_path / "data"


def test_pictures_of_a_fixed_camera_are_split_as_usual(fixed_camera, tmp_path):
    write(fixed_camera / "dent" / "copy.png", recompressed(shots(36)[2], 75))
    report, _ = ingest(fixed_camera, tmp_path / "out")
    assert report.near_duplicates == [["dent/02.png", "dent/copy.png"]]
    assert report.warnings == []
    assert all(min(counts.values()) >= 2 for counts in report.classes.values())


def photographs(root):
    for number in range(16):
        write(root / f"class-{number % 2}" / f"{number:02d}.png", photograph(number))


def test_a_near_copy_under_another_class_is_reported_and_not_joined(tmp_path):
    root = tmp_path / "data"
    photographs(root)
    write(root / "class-1" / "copy.png", recompressed(photograph(0)))
    report, _ = ingest(root, tmp_path / "out")
    assert report.near_duplicates == []
    assert report.warnings == [
        "Near-duplicates are under two classes, of which one may be wrong: class-0/00.png and "
        "class-1/copy.png"
    ]


def test_copies_are_looked_for_in_the_region(tmp_path):
    """Of a fixed camera: what is around the part counts neither for nor against a copy."""
    root, around = tmp_path / "data", photograph(99, 400)
    for number in range(16):
        pixels = around.copy()
        pixels[100:356, 80:336] = photograph(number)
        write(root / f"class-{number % 2}" / f"{number:02d}.png", pixels)
    elsewhere = photograph(98, 400)
    elsewhere[100:356, 80:336] = recompressed(photograph(0))
    write(root / "class-0" / "copy.png", elsewhere)
    region = {"x": 80, "y": 100, "width": 256, "height": 256}
    report, _ = ingest(root, tmp_path / "out", region=region)
    assert report.near_duplicates == [["class-0/00.png", "class-0/copy.png"]]
    whole, _ = ingest(root, tmp_path / "whole")
    assert whole.near_duplicates == []


def test_a_class_of_copies_stops_the_run_and_says_why(tmp_path):
    root = tmp_path / "data"
    photographs(root)
    for quality in range(50, 95, 5):
        write(root / "class-0" / f"copy-{quality}.png", recompressed(photograph(0), quality))
    with pytest.raises(DataError) as caught:
        ingest(root, tmp_path / "out")
    message = str(caught.value)
    assert "10 of 17 images of class 'class-0' are near-duplicates" in message
    assert "splits.near_duplicates: false" in message
    assert "splits.group" in message
    report, _ = ingest(root, tmp_path / "off", near_duplicates=False)
    assert report.near_duplicates == []
