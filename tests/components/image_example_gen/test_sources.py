import os

import pytest

from base.errors import DataError
from base.printable import printable
from components.image_example_gen.sources import Source, class_folders, list_sources


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
    touch(tmp_path, "a/1.jpg")
    os.symlink("..", tmp_path / "a" / "up")
    os.symlink("loop", tmp_path / "a" / "loop")
    assert [s.path for s in list_sources(str(tmp_path))] == ["a/1.jpg", "a/loop", "a/up"]


def test_an_empty_class_is_still_a_class(tmp_path):
    touch(tmp_path, "a/1.jpg")
    (tmp_path / "b").mkdir()
    assert class_folders(str(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_no_folder_or_an_empty_one(tmp_path, folder):
    with pytest.raises(DataError, match=r"no such folder|has no images; put them in one sub-fold"):
        list_sources(str(tmp_path / folder))


class TestManifest:
    def write(self, root, text):
        (root / "m.csv").write_bytes(text.encode("utf-8"))

    def read(self, root):
        return list_sources(str(root), manifest="m.csv")

    def test_rows(self, tmp_path):
        self.write(tmp_path, '\ufefflabel,path,split\na,x/1.jpg,train\nb,"x/2, too.jpg",\n')
        assert self.read(tmp_path) == [
            Source("x/1.jpg", "a", "train"),
            Source("x/2, too.jpg", "b"),
        ]
        assert class_folders(str(tmp_path), manifest="m.csv") == ["a", "b"]

    def test_a_row_may_be_there_twice(self, tmp_path):
        self.write(tmp_path, "path,label\nx,a\nx,a\n")
        assert self.read(tmp_path) == [Source("x", "a")]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("file,label\nx,a\n", "has no column path; .* names file, label"),
            ("", "has no column path and no column label; .* names nothing"),
            ("path,label\nx,\n", "line 2: the path or the label is empty"),
            (
                "path,label,split\nx,a,eval\n",
                "line 2: split 'eval' must be one of train, validation",
            ),
            ("path,label\nx," + "a" * 200_000, "is not a CSV file"),
            ("path,label\nx,a\nx,b\n", "line 3: x is also in an earlier line"),
        ],
    )
    def test_mistakes_name_the_line(self, tmp_path, text, message):
        self.write(tmp_path, text)
        with pytest.raises(DataError, match=message):
            self.read(tmp_path)

    def test_a_missing_or_unreadable_one(self, tmp_path):
        with pytest.raises(DataError, match=r"m\.csv: there is no such manifest"):
            self.read(tmp_path)
        (tmp_path / "m.csv").write_bytes(b"path,label\n\xff\xfe,a\n")
        with pytest.raises(DataError, match="is not UTF-8 text"):
            self.read(tmp_path)
