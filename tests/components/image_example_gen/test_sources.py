import os
import unicodedata

import pytest

from base.errors import DataError
from base.printable import printable
from components.image_example_gen.groups import check_classes
from components.image_example_gen.sources import (
    Source,
    class_folders,
    files_beside_classes,
    list_sources,
)


def touch(root, *paths):
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"content")


def test_class_folders(tmp_path):
    touch(tmp_path, "dent/2.jpg", "dent/1.jpg", "scratch/1.png", ".hidden/x.jpg", "dent/.DS_Store")
    touch(tmp_path, "readme.txt")
    assert list_sources(str(tmp_path)) == [
        Source("dent/1.jpg", "dent"),
        Source("dent/2.jpg", "dent"),
        Source("scratch/1.png", "scratch"),
    ]


def test_split_folders_are_recognized(tmp_path):
    touch(tmp_path, "train/a/1.jpg", "validation/a/2.jpg", "test/b/3.jpg")
    assert list_sources(str(tmp_path)) == [
        Source("test/b/3.jpg", "b", "test"),
        Source("train/a/1.jpg", "a", "train"),
        Source("validation/a/2.jpg", "a", "validation"),
    ]
    assert class_folders(str(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("layout", ["auto", "split_folders"])
def test_splits_that_are_called_otherwise_are_refused(tmp_path, layout):
    touch(tmp_path, "train/a/1.jpg", "val/a/2.jpg", "testing/b/3.jpg")
    with pytest.raises(DataError, match=r"rename 'testing' to 'test', 'val' to 'validation'\. If"):
        list_sources(str(tmp_path), layout)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["Train", "Test"], "rename 'Test' to 'test', 'Train' to 'train'"),
        (["train", "val", "notes"], "rename 'val' to 'validation'"),
        (
            ["train", "test", "notes"],
            "has folders of splits, and 'notes' next to them; move the latter",
        ),
    ],
)
def test_what_looks_like_splits_is_not_taken_for_classes(tmp_path, names, message):
    touch(tmp_path, *(f"{name}/a/1.jpg" for name in names))
    with pytest.raises(DataError, match=message):
        list_sources(str(tmp_path))


def test_a_class_may_be_called_like_a_split_beside_others(tmp_path):
    touch(tmp_path, "val/1.jpg", "cat/2.jpg")
    assert [s.label for s in list_sources(str(tmp_path))] == ["cat", "val"]


def test_classes_may_be_called_like_splits_if_told_so(tmp_path):
    touch(tmp_path, "train/1.jpg", "test/2.jpg")
    assert [s.label for s in list_sources(str(tmp_path), "class_folders")] == ["test", "train"]


@pytest.mark.parametrize(
    "name",
    ["with space.jpg", "Größe ✓.jpg", "two\nlines.jpg", "[x]*?.jpg", "back\\slash.jpg", "-rf"],
)
def test_a_name_may_hold_anything(tmp_path, name):
    touch(tmp_path, f"class {name}/{name}")
    assert list_sources(str(tmp_path)) == [Source(f"class {name}/{name}", f"class {name}")]
    assert len(printable(name).splitlines()) == 1


def test_a_name_that_is_not_utf8_is_reported_and_ends_nothing(tmp_path):
    touch(tmp_path, "a/1.png")
    for path in (b"a/bad\xff.png", b"\xfe/1.png"):
        file = os.path.join(os.fsencode(tmp_path), path)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "wb"):
            pass
    sources = list_sources(str(tmp_path))
    assert [s.path for s in sources if s.problem is None] == ["a/1.png"]
    problems = {s.path: s.problem for s in sources if s.problem}
    assert problems == dict.fromkeys(
        [r"a/bad\xff.png", r"\xfe/1.png"], "has a name that is not UTF-8; rename it"
    )
    assert class_folders(str(tmp_path)) == [r"\xfe", "a"]


def test_what_systems_strew_is_passed_over(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/Thumbs.db", "a/desktop.ini", "a/.DS_Store", "a/notes.txt")
    assert [s.path for s in list_sources(str(tmp_path))] == ["a/1.jpg", "a/notes.txt"]


def test_printable_names_stay_themselves():
    assert printable(os.fsdecode(b"\xff\n.png")) == r"\xff\n.png"
    for name in ('it\'s "so".png', "grün.png", r"a\b.png", r"\xff\n.png"):
        assert printable(name) == name


def test_a_link_loop_ends(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/deep/2.jpg")
    os.symlink("..", tmp_path / "a" / "up")
    os.symlink("..", tmp_path / "a" / "deep" / "back")
    os.symlink("loop", tmp_path / "a" / "loop")
    sources = {source.path: source.problem for source in list_sources(str(tmp_path))}
    assert sources == {
        "a/1.jpg": None,
        "a/deep/2.jpg": None,
        "a/deep/back": "is a link to a folder that contains it",
        "a/loop": None,  # reading it says what is wrong
        "a/up": "is a link to a folder that contains it",
    }


def test_sub_folders_are_read_and_the_first_folder_is_the_class(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/layer2/2.JPG", "a/layer2/x/3.TIF", "a/layer2/.hidden/4.jpg")
    assert list_sources(str(tmp_path)) == [
        Source("a/1.jpg", "a"),
        Source("a/layer2/2.JPG", "a"),
        Source("a/layer2/x/3.TIF", "a"),
    ]


def test_splits_inside_class_folders_are_refused_unless_they_are_none(tmp_path):
    touch(tmp_path, "a/train/1.jpg", "a/val/2.jpg", "b/train/1.jpg", "b/val/2.jpg")
    with pytest.raises(DataError, match=r"such as a/train; move its files to train/a, and so on"):
        list_sources(str(tmp_path))
    assert len(list_sources(str(tmp_path), "class_folders")) == 4


def test_files_beside_the_classes_are_listed(tmp_path):
    touch(tmp_path, "a/1.jpg", "loose.jpg", ".hidden")
    assert files_beside_classes(str(tmp_path)) == ["loose.jpg"]
    touch(tmp_path / "split", "train/a/1.jpg", "test/loose.jpg", "test/a/2.jpg")
    assert files_beside_classes(str(tmp_path / "split")) == ["test/loose.jpg"]


def test_a_class_has_the_composed_form_and_its_files_the_real_name(tmp_path):
    decomposed = unicodedata.normalize("NFD", "Prüfung")
    touch(tmp_path, f"{decomposed}/1.jpg", "b/1.jpg")
    [source, _] = list_sources(str(tmp_path))
    assert source == Source(f"{decomposed}/1.jpg", "Prüfung")
    assert class_folders(str(tmp_path)) == ["Prüfung", "b"]


def test_a_class_in_two_unicode_forms_is_refused(tmp_path):
    touch(tmp_path, *(f"{unicodedata.normalize(f, 'Prüfung')}/1.jpg" for f in ("NFC", "NFD")))
    with pytest.raises(DataError, match=r"look alike, .*; move the files of one of them into"):
        list_sources(str(tmp_path))


@pytest.mark.parametrize(("one", "other"), [("Gut", "gut"), ("a  b", "a b")])
def test_classes_that_are_easily_confused_are_refused_unless_they_are_listed(tmp_path, one, other):
    touch(tmp_path, f"{one}/1.jpg", f"{other}/1.jpg")
    with pytest.raises(DataError, match=f"'{one}' and '{other}' differ in upper and lower case"):
        list_sources(str(tmp_path))
    assert len(list_sources(str(tmp_path), classes=(one, other))) == 2


class TestGroups:
    def test_the_first_sub_folder(self, tmp_path):
        touch(tmp_path, "a/p1/1.jpg", "a/p1/left/2.jpg", "b/p1/3.jpg")
        found = list_sources(str(tmp_path), group_rule="sub_folder")
        assert [source.group for source in found] == ["p1", "p1", "p1"]

    def test_a_regular_expression(self, tmp_path):
        touch(tmp_path, "a/p1_1.jpg", "a/p2_1.jpg", "b/p1_3.jpg")
        found = list_sources(str(tmp_path), group_rule=r"(p\d+)_")
        assert [source.group for source in found] == ["p1", "p2", "p1"]

    @pytest.mark.parametrize(
        ("rule", "message"),
        [
            ("sub_folder", "for a/x.jpg, a/y.jpg, a/z.jpg and 1 more, which are in no sub-folder"),
            (r"(p\d+)_", r"names no group for a/x.jpg.*do not match '\(p"),
        ],
    )
    def test_a_file_without_a_group_is_named(self, tmp_path, rule, message):
        touch(tmp_path, "a/p/p1_1.jpg", "a/x.jpg", "a/y.jpg", "a/z.jpg", "b/1.jpg")
        with pytest.raises(DataError, match=message):
            list_sources(str(tmp_path), group_rule=rule)

    def test_a_group_in_two_given_splits_is_refused_by_name(self, tmp_path):
        touch(tmp_path, "train/a/p1_1.jpg", "test/a/p1_2.jpg", "test/b/p2_1.jpg")
        assert len(list_sources(str(tmp_path))) == 3
        with pytest.raises(DataError, match=r"group 'p1' is in the splits 'train' \(train/a/p1_1"):
            list_sources(str(tmp_path), group_rule=r"(p\d+)_")

    def test_a_group_in_two_classes_cannot_be_held_out_by_class(self, tmp_path):
        touch(tmp_path, "a/p1_1.jpg", "b/p1_2.jpg", "b/p2_1.jpg")
        sources = list_sources(str(tmp_path), group_rule=r"(p\d+)_")
        with pytest.raises(DataError, match=r"group 'p1' is in the classes a, b, which splits.by"):
            check_classes(sources, str(tmp_path))


def test_an_empty_class_is_still_a_class(tmp_path):
    touch(tmp_path, "a/1.jpg")
    (tmp_path / "b").mkdir()
    assert class_folders(str(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_no_folder_or_an_empty_one(tmp_path, folder):
    with pytest.raises(DataError, match=r"no such folder|has no images; put them in one sub-fold"):
        list_sources(str(tmp_path / folder))
