"""Images of more than eight bits, on Beam: all have one range."""

import numpy as np
import pytest
from ingestion import ingest, value
from PIL import Image
from sample_images import encoded, picture

from base.errors import DataError
from records import features


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
