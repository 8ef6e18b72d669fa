"""Classes and single images that are there are changed."""

import shutil

import pytest
from exported_model import write_images

from serving.class_images import EnrollError
from serving.enroll import Changes, _in_words, enroll
from storage.enrolled_images import read_enrolled_images
from tests.serving.enroll.small_model import NEW, ask, load, queries, versions


def test_single_images_are_removed_and_moved(enrolled, base):
    shutil.copytree(enrolled.version, base / "2")
    moved = f"{NEW}/3.png"
    changes = Changes(
        ["class-0/1.png", "class-0/2.png"], {"class-1/0.png": "other", moved: "other"}
    )
    done = enroll(base, changes=changes)
    expected = {NEW: 3, "class-0": 2, "class-1": 3, "class-2": 4, "other": 2}
    assert (done.classes, done.changed) == (expected, 4)
    assert done.before == {NEW: (4, 4), "class-0": (4, 4), "class-1": (4, 4), "class-2": (4, 4)}
    assert done.after["class-0"] == (2, 2)
    assert done.after["other"][1] == 2
    support = load(done.version).support
    by_name = dict(zip(support.sources.numpy().tolist(), support.labels.numpy(), strict=True))
    assert by_name[b"class-1/0.png"] == b"other"
    assert b"class-0/1.png" not in by_name
    kept = {one.source: one.label for one in read_enrolled_images(done.version)}
    assert (len(kept), kept[moved]) == (4, "other")


def test_one_image_is_no_plural():
    changes = Changes(["a/0.png"], {"a/1.png": "b", "a/2.png": "b"})
    expected = ("removed 1 support image", "moved 2 support images to 'b'", "added 1 image to 'c'")
    assert _in_words({"c": 1}, (), changes) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (Changes(["class-0/9.png"]), r"has no support image 'class-0/9\.png'"),
        (Changes((), {"class-0/1.png": " "}), "a class's name is one line"),
        (Changes(), "nothing to do"),
        (
            Changes([f"class-{label}/{n}.png" for label in (0, 1) for n in range(4)]),
            "would be left with 'class-2'",
        ),
    ],
)
def test_single_images_that_cannot_be_changed(base, changes, message):
    with pytest.raises(EnrollError, match=message):
        enroll(base, changes=changes)
    assert versions(base) == ["1"]


def test_a_class_is_replaced(base, new):
    done = enroll(base, {"class-0": new}, ["class-0"])
    assert done.classes == {"class-0": 4, "class-1": 4, "class-2": 4}
    answer = ask(done.version, queries(7))
    assert set(answer["label"]) == {b"class-0"}
    assert answer["nearest"][0, 0].decode().startswith(f"{NEW}/")


@pytest.mark.parametrize("extend", [True, None])
def test_a_class_is_extended(base, tmp_path, extend):
    more = write_images(tmp_path / "more", 0, [50, 51])
    done = enroll(base, {"class-0": more}, extend=extend)
    assert done.classes == {"class-0": 6, "class-1": 4, "class-2": 4}
    assert (done.added, set(ask(done.version, queries(0))["label"])) == (
        {"class-0": 2},
        {b"class-0"},
    )
