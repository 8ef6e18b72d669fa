import base64
import io
import os

import numpy as np
import pytest
from deep_images import grey_png
from PIL import Image
from sample_images import encoded, picture

from judging.judgement import Picture
from pipeline.report import pictures
from pipeline.report.pictures import SIDE, SMALL_SIDE, small_thumbnails, thumbnail, thumbnails


def shown(id_, source):
    return Picture(id=id_, source=source, label="a")


def pixels(small):
    return Image.open(io.BytesIO(base64.b64decode(small.uri.partition(",")[2])))


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """As ImageExampleGen writes them: image `i` is of the number `i`."""
    import tensorflow as tf

    from records import features
    from records.example import make_example

    folder = tmp_path_factory.mktemp("examples")
    sources = {"train": ["a/0.png", "a/1.png"], "validation": ["a/2.png"],
               "test": ["a/3.png", "b/<ü>.png"]}  # fmt: skip
    number = 0
    for split, names in sources.items():
        (folder / f"Split-{split}").mkdir()
        path = str(folder / f"Split-{split}/data_tfrecord-00000-of-00001.gz")
        with tf.io.TFRecordWriter(path, "GZIP") as writer:
            for name in names:
                record = make_example(
                    {
                        features.IMAGE: [encoded(picture(number, 0))],
                        features.SOURCE: [os.fsencode(name)],
                        features.IMAGE_ID: [f"id{number}".encode()],
                    },
                    {},
                )
                writer.write(record.SerializeToString())
                number += 1
    return str(folder)


def test_found_among_the_records(examples):
    wanted = [shown("id4", "b/<ü>.png"), shown("", "a/1.png"), shown("id9", "a/9.png")]
    found = thumbnails(wanted, examples)
    assert set(found) == set(wanted[:2])
    for one, number in zip(wanted, (4, 1)):  # noqa: B905
        assert pixels(found[one]).tobytes() == picture(number, 0).tobytes()


def test_found_among_the_files_where_there_are_no_records(tmp_path):
    (tmp_path / "judged/a").mkdir(parents=True)
    (tmp_path / "learned/a").mkdir(parents=True)
    (tmp_path / "judged/a/0.png").write_bytes(encoded(picture(0, 0)))
    (tmp_path / "learned/a/0.png").write_bytes(encoded(picture(1, 0)))
    judged, support = shown("id0", "a/0.png"), shown("", "a/0.png")
    # A file of the same name elsewhere is another image.
    assert set(thumbnails([judged, support], root=str(tmp_path / "judged"))) == {judged}
    found = thumbnails([judged, support], "", str(tmp_path / "judged"), str(tmp_path / "learned"))
    assert pixels(found[judged]).tobytes() == picture(0, 0).tobytes()
    assert pixels(found[support]).tobytes() == picture(1, 0).tobytes()


def test_no_file_above_the_root_is_read(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "secret.png").write_bytes(encoded(picture(0, 0)))
    os.mkfifo(tmp_path / "root/pipe.png")  # reading it would wait for ever
    names = ["../secret.png", str(tmp_path / "secret.png"), "pipe.png", "", "."]
    assert thumbnails([shown("x", n) for n in names], root=str(tmp_path / "root")) == {}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_large_images_become_small(kind):
    small = thumbnail(encoded(picture(0, 0, size=600).resize((600, 300)), kind))
    assert (small.width, small.height) == (SIDE, SIDE // 2)
    assert not small.tiny
    assert small.uri.startswith("data:image/jpeg;base64,")
    assert len(small.uri) < 12_000


def test_small_images_stay_as_they_are():
    small = thumbnail(encoded(picture(0, 0, size=32)))
    assert (small.width, small.height, small.tiny) == (32, 32, True)


@pytest.mark.parametrize(("ends", "level"), [(None, 0), ((1000.0, 3000.0), 128), ((0.0, 0.0), 8)])
def test_deep_images_are_shown_as_the_network_sees_them(ends, level):
    small = thumbnail(grey_png(np.full((300, 600), 2000)), ends)
    assert (small.width, small.height) == (SIDE, SIDE // 2)
    assert abs(pixels(small).convert("L").getpixel((5, 5)) - level) <= 1


@pytest.mark.parametrize("data", [b"", b"no image", encoded(picture(0, 0))[:200]])
def test_what_is_no_image_has_no_thumbnail(data):
    assert thumbnail(data) is None


def test_small_thumbnails_leave_out_the_least_important_of_too_many(tmp_path, monkeypatch):
    names = [f"{i}.png" for i in range(6)]
    for i, name in enumerate(names):
        (tmp_path / name).write_bytes(encoded(picture(0, i, size=200)))
    wanted = [shown("id", name) for name in [*names[:2], "missing.png", *names[2:]]]
    found = small_thumbnails(wanted, root=str(tmp_path))
    assert list(found) == [one for one in wanted if one.source in names]
    for uri in found.values():
        assert uri.startswith("data:image/webp;base64,")
        small = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
        assert small.size == (SMALL_SIDE, SMALL_SIDE)
    of_three = sum(len(uri) for uri in list(found.values())[:3])
    monkeypatch.setattr(pictures, "SMALL_TOTAL", of_three)
    assert list(small_thumbnails(wanted, root=str(tmp_path))) == list(found)[:3]
