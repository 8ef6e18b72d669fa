"""The executor and its driver on Beam, fed with all that users' folders hold."""

import os
from collections import Counter

import apache_beam as beam
import cv2
import numpy as np
import pytest
import tensorflow as tf
from fixed_camera import photograph, recompressed, shots
from PIL import Image
from sample_images import encoded, picture, write_classes

from base.errors import DataError
from components.image_example_gen import beam_steps
from components.image_example_gen.report import IngestionReport
from records import features
from records.lost import RecordsLost
from storage.spans import SpanRecord


@pytest.fixture
def root(tmp_path):
    write_classes(tmp_path / "data")
    return tmp_path / "data"


def properties(root, **settings):
    """What the driver hands to the executor."""
    from components.image_example_gen.component import ImageExampleGen
    from components.image_example_gen.driver import Driver

    component = ImageExampleGen(root=str(root), **settings)
    return Driver(None).resolve_exec_properties(dict(component.exec_properties), None, None)


def ingest(root, output, **settings):
    """Run the executor; the report, and the records of each split."""
    from tfx.types import standard_artifacts

    from components.image_example_gen.executor import Executor

    examples = standard_artifacts.Examples()
    examples.uri = str(output)
    Executor().Do({}, {"examples": [examples]}, properties(root, **settings))
    records = {}
    for split in features.SPLITS:
        files = tf.io.gfile.glob(f"{output}/Split-{split}/*")
        records[split] = [
            tf.train.Example.FromString(r.numpy()).features.feature
            for r in tf.data.TFRecordDataset(files, compression_type="GZIP")
        ]
    return IngestionReport.read(str(output)), records


def value(record, name):
    return (record[name].bytes_list.value or record[name].int64_list.value)[0]


def reasons(report):
    return {item.path: item.reason for item in report.excluded}


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


def link_loop(path):
    os.symlink(path.name, path)


def nowhere(path):
    os.symlink("nothing-is-there", path)


BAD = {
    "text.jpg": (lambda p: p.write_text("These are not pixels."), "is no image"),
    "cut.jpg": (
        lambda p: p.write_bytes(encoded(picture(0, 90), "JPEG")[:-300]),
        "is cut off or damaged",
    ),
    "empty.png": (lambda p: p.write_bytes(b""), "is empty"),
    "loop.png": (link_loop, "cannot be read"),
    "nowhere.png": (nowhere, "cannot be read"),
    "pipe.jpg": (os.mkfifo, "is not a regular file"),
    "photo.heic": (lambda p: p.write_bytes(b"\0\0\0\x18ftypheic"), "convert it to JPEG"),
    "large.png": (
        lambda p: Image.new("1", (20_000, 20_000)).save(p),
        "pixels",
    ),
}


def test_bad_files_are_excluded_by_name_and_the_rest_goes_on(root, tmp_path):
    for name, (make, _) in BAD.items():
        make(root / "class-0" / name)
    assert (root / "class-0" / "large.png").stat().st_size < 100_000
    (root / "loose.png").write_bytes(b"")
    report, records = ingest(root, tmp_path / "out", max_unusable=0.5)
    assert "1 file beside the class folders is not used: loose.png." in report.warnings[0]
    found = reasons(report)
    assert set(found) == {f"class-0/{name}" for name in BAD}
    for name, (_, reason) in BAD.items():
        assert reason in found[f"class-0/{name}"]
    assert sum(map(len, records.values())) == report.usable == 30


def test_too_many_bad_files_stop_the_run(root, tmp_path):
    for name, (make, _) in BAD.items():
        make(root / "class-0" / name)
    with pytest.raises(DataError, match=r"8 of 38 files .* more than data\.max_unusable") as caught:
        ingest(root, tmp_path / "out", max_unusable=0.1)
    assert "class-0/empty.png is empty" in str(caught.value)


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


def test_the_same_image_under_two_classes(root, tmp_path):
    twice = encoded(picture(5, 5))
    for label in ("class-0", "class-1"):
        (root / label / "twice.png").write_bytes(twice)
    report, _ = ingest(root, tmp_path / "out")
    assert reasons(report) == dict.fromkeys(
        ["class-0/twice.png", "class-1/twice.png"],
        "is the same image under classes class-0 and class-1",
    )


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


def splits_of_groups(records):
    """The splits of each group of records."""
    found: dict[bytes, set[str]] = {}
    for split, of_split in records.items():
        for record in of_split:
            found.setdefault(value(record, features.GROUP), set()).add(split)
    return found


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


def test_names_of_all_kinds(root, tmp_path):
    names = ["with space.png", "Größe ✓.png", "two\nlines.png", "[x]*?.png"]
    for number, name in enumerate(names):
        (root / "class-0" / name).write_bytes(encoded(picture(0, 50 + number)))
    (root / "class-0" / "bad\nname.png").write_bytes(b"")
    with open(os.path.join(os.fsencode(root / "class-0"), b"\xff.png"), "wb") as file:
        file.write(encoded(picture(0, 49)))
    report, records = ingest(root, tmp_path / "out")
    assert reasons(report) == {
        "class-0/bad\\nname.png": "is empty",
        "class-0/\\xff.png": "has a name that is not UTF-8; rename it",
    }
    sources = {value(r, features.SOURCE) for found in records.values() for r in found}
    assert {os.fsencode(f"class-0/{name}") for name in names} <= sources


def test_a_phones_photograph_stands_upright(root, tmp_path):
    upright = picture(0, 70).resize((48, 32))
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    (root / "class-0" / "phone.jpg").write_bytes(
        encoded(lying, "JPEG", quality=98, subsampling=0, exif=exif.tobytes())
    )
    report, records = ingest(root, tmp_path / "out")
    assert report.reencoded == 1
    [record] = [
        r for f in records.values() for r in f if value(r, features.SOURCE).endswith(b"phone.jpg")
    ]
    assert (value(record, features.HEIGHT), value(record, features.WIDTH)) == (32, 48)
    pixels = tf.io.decode_image(value(record, features.IMAGE), channels=3).numpy().astype(int)
    assert np.abs(pixels - np.asarray(upright, int)).mean() < 3


def test_a_50_megapixel_photograph_among_thumbnails(root, tmp_path):
    picture(0, 80).resize((8660, 5774)).save(root / "class-0" / "huge.jpg", quality=30)
    report, records = ingest(root, tmp_path / "out")
    assert report.excluded == []
    heights = [value(r, features.HEIGHT) for found in records.values() for r in found]
    assert max(heights) == 5774


def test_damaged_bytes_never_reach_transform(tmp_path):
    """Whatever is passed on must decode: an undecodable image would end the run in Transform."""
    from components.image_example_gen.inspection import image_record, inspect
    from components.image_example_gen.sources import Source

    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (24, 24, 3), "uint8"))
    passed = 0
    for kind in ("PNG", "JPEG", "BMP", "GIF"):
        original = np.frombuffer(encoded(noise, kind), "uint8")
        for _ in range(100):
            damaged = original.copy()
            damaged[rng.integers(0, len(damaged), 3)] = rng.integers(0, 256, 3)
            (tmp_path / "x").write_bytes(damaged.tobytes())
            source = Source("x", "a")
            if inspect(source, str(tmp_path), 10**6).problem is None:
                record = image_record(source, str(tmp_path), 10**6).features.feature
                pixels = tf.io.decode_image(value(record, features.IMAGE), channels=3)
                assert pixels.shape[0] == value(record, features.HEIGHT)
                passed += 1
    assert passed > 50


class TestFingerprint:
    """TFX's cache takes the same fingerprint for the same images."""

    def of(self, root, **settings):
        return properties(root, **settings)["input_fingerprint"]

    def test_unchanged_images_keep_it(self, root):
        os.symlink("loop", root / "class-0" / "loop")
        assert self.of(root) == self.of(root)

    def test_a_new_a_changed_and_a_removed_file_change_it(self, root):
        seen = {self.of(root)}
        new = root / "class-1" / "new.png"
        new.write_bytes(encoded(picture(1, 99)))
        seen.add(self.of(root))
        os.utime(new, (1, 1))
        seen.add(self.of(root))
        (root / "class-0" / "0.png").unlink()
        seen.add(self.of(root))
        assert len(seen) == 4

    def test_a_new_class_changes_it_even_without_images(self, root):
        before = self.of(root)
        (root / "class-3").mkdir()
        assert self.of(root) != before

    def test_a_new_file_deep_in_split_folders_changes_it(self, tmp_path):
        for split in features.SPLITS:
            write_classes(tmp_path / split, each=3)
        before = self.of(tmp_path)
        (tmp_path / "test" / "class-0" / "new.png").write_bytes(b"x")
        assert self.of(tmp_path) != before


class TestSpans:
    def test_the_newest_span_is_taken_and_the_first_names_the_classes(self, tmp_path):
        write_classes(tmp_path / "data" / "span-1", classes=3)
        write_classes(tmp_path / "data" / "span-2", classes=2, each=12)
        report, records = ingest(tmp_path / "data" / "span-{SPAN}", tmp_path / "out")
        assert report.root.endswith("span-2")
        assert sum(map(len, records.values())) == 24
        assert report.expected_classes == ["class-0", "class-1", "class-2"]
        assert report.classes["class-2"] == {"train": 0, "validation": 0, "test": 0}

    def test_a_class_that_people_have_added_in_a_review_is_expected(self, tmp_path):
        write_classes(tmp_path / "data" / "span-1", classes=2)
        write_classes(tmp_path / "data" / "span-2", classes=3)
        SpanRecord(before=1, classes=["class-2"]).write(tmp_path / "data" / "span-2")
        report, _ = ingest(tmp_path / "data" / "span-{SPAN}", tmp_path / "out")
        assert report.expected_classes == ["class-0", "class-1", "class-2"]
        assert report.files == sum(sum(counts.values()) for counts in report.classes.values())

    def test_what_cannot_be_a_span_is_told(self, tmp_path):
        for name in ("span-1", "span-old"):
            write_classes(tmp_path / "data" / name, classes=1, each=1)
        with pytest.raises(DataError, match=r"must have a number there: .*span-old"):
            properties(tmp_path / "data" / "span-{SPAN}")

    def test_no_span_at_all(self, tmp_path):
        (tmp_path / "data").mkdir()
        with pytest.raises(DataError, match="has no span that matches"):
            properties(tmp_path / "data" / "span-{SPAN}")


def test_files_with_several_frames_are_named(root, tmp_path):
    for number in range(7):
        pages = [picture(100 + 2 * number + page, 0) for page in (0, 1)]
        pages[0].save(root / f"class-0/p{number}.tiff", save_all=True, append_images=pages[1:])
    report, _ = ingest(root, tmp_path / "out")
    assert report.warnings == [
        "7 images have several frames or pages; the first is used: class-0/p0.tiff, "
        "class-0/p1.tiff, class-0/p2.tiff, class-0/p3.tiff, class-0/p4.tiff and 2 more"
    ]


def write_deep(root, times=1, each=10, eight_bits=0):
    """Two classes of 12-bit images; the first few of each as 8-bit ones."""
    for label in range(2):
        (root / f"class-{label}").mkdir(parents=True)
        for number in range(each):
            values = np.asarray(picture(label, number).convert("L")).astype("uint16") * 4 + 1000
            pixels = (values // 16).astype("uint8") if number < eight_bits else values * times
            (root / f"class-{label}/{number}.png").write_bytes(encoded(Image.fromarray(pixels)))


def test_the_range_is_that_of_the_training_images(tmp_path):
    write_deep(tmp_path / "data", times=16)
    report, records = ingest(tmp_path / "data", tmp_path / "out")
    values = [
        np.asarray(Image.open(tmp_path / "data" / value(record, features.SOURCE).decode()))
        for record in records["train"]
    ]
    low, high = np.quantile(values, (0.001, 0.999))
    assert (report.range.low, report.range.high) == pytest.approx((low, high), abs=500)
    assert not report.range.given
    assert not report.warnings
    ends = {
        (
            record[features.RANGE_LOW].float_list.value[0],
            record[features.RANGE_HIGH].float_list.value[0],
        )
        for found in records.values()
        for record in found
    }
    assert ends == {(report.range.low, report.range.high)}


def test_a_given_range_and_a_region(tmp_path):
    write_deep(tmp_path / "data")
    region = {"x": 20, "y": 0, "width": 13, "height": 9}
    small = {"x": 20, "y": 0, "width": 12, "height": 32}
    report, _ = ingest(tmp_path / "data", tmp_path / "out", range=(0, 4095), region=small)
    assert (report.range.low, report.range.high, report.range.given) == (0, 4095, True)
    with pytest.raises(DataError, match=r"has 32 x 32 pixels, but image\.region ends at 33 x 9"):
        ingest(tmp_path / "data", tmp_path / "too_small", region=region)


def test_deep_images_among_those_of_eight_bits(tmp_path):
    write_deep(tmp_path / "data", eight_bits=8)
    report, _ = ingest(tmp_path / "data", tmp_path / "out")
    assert report.range is None
    assert report.warnings == [
        "4 images (class-0/8.png, class-0/9.png, class-1/8.png, class-1/9.png) have more than "
        "eight bits, 16 others have eight: 0 to 65535 become 0 to 255 in the former; if the same "
        "thing does not look alike in both, set image.range"
    ]


def test_a_float_image_of_the_test_split_alone_is_refused(tmp_path):
    for split in features.SPLITS:
        for label in range(2):
            folder = tmp_path / f"data/{split}/class-{label}"
            folder.mkdir(parents=True)
            number = features.SPLITS.index(split)
            (folder / "0.png").write_bytes(encoded(picture(label, number)))
    values = np.asarray(picture(0, 9).convert("F")) / 255
    (tmp_path / "data/test/class-0/1.tiff").write_bytes(encoded(Image.fromarray(values), "TIFF"))
    with pytest.raises(DataError, match=r"test/class-0/1\.tiff has values below 0"):
        ingest(tmp_path / "data", tmp_path / "out")
    ingest(tmp_path / "data", tmp_path / "out2", range=(0, 1))


def test_a_range_without_effect_is_named(root, tmp_path):
    report, _ = ingest(root, tmp_path / "out", range=(0, 4095))
    assert report.warnings == [
        "image.range (0 to 4095) has no effect: no image has more than eight bits"
    ]


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


def test_a_truncated_last_image_of_a_series_is_named(root, tmp_path):
    """As of a transfer that was broken off."""
    data = encoded(picture(1, 90), "JPEG")
    (root / "class-1/99.jpg").write_bytes(data[: len(data) // 2])
    report, _ = ingest(root, tmp_path / "out")
    assert report.usable == 30
    assert reasons(report)["class-1/99.jpg"].startswith("is cut off or damaged")


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
