"""One folder of all that users' folders hold: what is used, what is excluded, and what is said."""

import os

import numpy as np
import pytest
import tensorflow as tf
from ingestion import ingest, reasons, value
from PIL import Image
from sample_images import encoded, picture, write_classes

from records import features


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
    "half.jpg": (  # as of a transfer that was broken off
        lambda p: p.write_bytes((data := encoded(picture(1, 90), "JPEG"))[: len(data) // 2]),
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


NAMES = ["with space.png", "Größe ✓.png", "two\nlines.png", "[x]*?.png"]
UPRIGHT = picture(0, 70).resize((48, 32))
"""What a phone's photograph shows, which lies on its side in the file."""


def write_bad_files(folder):
    for name, (make, _) in BAD.items():
        make(folder / name)
    assert (folder / "large.png").stat().st_size < 100_000
    (folder / "bad\nname.png").write_bytes(b"")
    with open(os.path.join(os.fsencode(folder), b"\xff.png"), "wb") as file:
        file.write(encoded(picture(0, 49)))


def write_good_files(folder):
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(encoded(picture(0, 50 + number)))
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = UPRIGHT.transpose(Image.Transpose.ROTATE_90)
    (folder / "phone.jpg").write_bytes(
        encoded(lying, "JPEG", quality=98, subsampling=0, exif=exif.tobytes())
    )
    # 50 megapixels among thumbnails.
    picture(0, 80).resize((8660, 5774)).save(folder / "huge.jpg", quality=30)
    for number, kind in enumerate(["tiff", "gif", "webp", "png", "tiff", "tiff", "tiff"]):
        pages = [picture(100 + 2 * number + page, 0) for page in (0, 1)]
        pages[0].save(folder / f"p{number}.{kind}", save_all=True, append_images=pages[1:])


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    """The report, and the records by their source."""
    folder = tmp_path_factory.mktemp("messy")
    root = folder / "data"
    write_classes(root)
    write_bad_files(root / "class-0")
    write_good_files(root / "class-0")
    twice = encoded(picture(5, 5))
    for label in ("class-0", "class-1"):
        (root / label / "twice.png").write_bytes(twice)
    (root / "loose.png").write_bytes(b"")
    report, records = ingest(root, folder / "out", max_unusable=0.5, range=(0, 4095))
    by_source = {value(r, features.SOURCE): r for found in records.values() for r in found}
    assert len(by_source) == sum(map(len, records.values()))
    return report, by_source


def test_bad_files_are_excluded_by_name_and_the_rest_goes_on(ingested):
    report, records = ingested
    found = reasons(report)
    assert found.pop("class-0/bad\\nname.png") == "is empty"
    assert found.pop("class-0/\\xff.png") == "has a name that is not UTF-8; rename it"
    for label in ("class-0", "class-1"):
        assert (
            found.pop(f"{label}/twice.png") == "is the same image under classes class-0 and class-1"
        )
    assert set(found) == {f"class-0/{name}" for name in BAD}
    for name, (_, reason) in BAD.items():
        assert reason in found[f"class-0/{name}"]
    assert len(records) == report.usable == 30 + len(NAMES) + 2 + 7


def test_names_of_all_kinds(ingested):
    assert {os.fsencode(f"class-0/{name}") for name in NAMES} <= set(ingested[1])


def test_a_phones_photograph_stands_upright(ingested):
    report, records = ingested
    record = records[b"class-0/phone.jpg"]
    assert (value(record, features.HEIGHT), value(record, features.WIDTH)) == (32, 48)
    pixels = tf.io.decode_image(value(record, features.IMAGE), channels=3).numpy().astype(int)
    assert np.abs(pixels - np.asarray(UPRIGHT, int)).mean() < 3
    assert report.reencoded == 1 + 7  # those of several frames, too


def test_a_50_megapixel_photograph_among_thumbnails(ingested):
    assert value(ingested[1][b"class-0/huge.jpg"], features.HEIGHT) == 5774


def test_what_is_unusual_is_named(ingested):
    assert ingested[0].warnings == [
        "1 file beside the class folders is not used: loose.png. Images belong into the folder of "
        "their class",
        "image.range (0 to 4095) has no effect: no image has more than eight bits",
        "7 images have several frames or pages; the first is used: class-0/p0.tiff, "
        "class-0/p1.gif, class-0/p2.webp, class-0/p3.png, class-0/p4.tiff and 2 more",
    ]
