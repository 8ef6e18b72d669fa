import unicodedata

import pytest

from base.errors import DataError
from components.image_example_gen.sources import Source, class_folders, list_sources


def write(root, text, encoding="utf-8"):
    (root / "m.csv").write_bytes(text.encode(encoding))


def read(root):
    return list_sources(str(root), manifest="m.csv")


def test_rows(tmp_path):
    write(tmp_path, '\ufefflabel,path,split\na,x/1.jpg,train\nb,"x/2, too.jpg",\n')
    assert read(tmp_path) == [Source("x/1.jpg", "a", "train"), Source("x/2, too.jpg", "b")]
    assert class_folders(str(tmp_path), manifest="m.csv") == ["a", "b"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_any_usual_delimiter_and_blanks(tmp_path, delimiter):
    lines = (" Path ", "label"), ("x/1.jpg", "a "), (" x/2.jpg", " b")
    write(tmp_path, "\r\n".join(delimiter.join(line) for line in lines) + "\r\n\r\n")
    assert read(tmp_path) == [Source("x/1.jpg", "a"), Source("x/2.jpg", "b")]


def test_groups(tmp_path):
    write(tmp_path, "path,label,group\nx/1.jpg,a,p1\nx/2.jpg,a,\n")
    assert [source.group for source in read(tmp_path)] == ["p1", None]


def test_a_file_named_in_two_ways_is_one_file(tmp_path):
    write(tmp_path, "path,label\na/0.png,a\n./a/0.png,a\na//0.png,a\nb/../a/0.png,a\na\\0.png,a\n")
    assert read(tmp_path) == [Source("a/0.png", "a")]


def test_a_backslash_in_a_files_own_name_stays(tmp_path):
    (tmp_path / "a\\0.png").write_bytes(b"x")
    write(tmp_path, "path,label\na\\0.png,a\na\\1.png,a\n")
    assert [source.path for source in read(tmp_path)] == ["a/1.png", "a\\0.png"]


def test_names_in_another_unicode_form(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "ü") for form in ("NFC", "NFD"))
    (tmp_path / f"{decomposed}.png").write_bytes(b"x")
    write(tmp_path, f"path,label\n{composed}.png,{decomposed}\n")
    assert read(tmp_path) == [Source(f"{decomposed}.png", composed)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\nx,a\n", "has no column path; .* names file, label"),
        ("", "has no column path and no column label; .* names nothing"),
        ("path,label,patient\nx,a,1\n", "column 'patient'; known are path, label, split, group"),
        ("path,label,label\nx,a,b\n", "names a column twice"),
        ("path,label\nx,\n", "line 2: the path or the label is empty"),
        ("path,label\nx\n", "line 2: the path or the label is empty"),
        ("path,label\nx,a,b\n", "line 2: has 3 values for 2 columns"),
        ("path,label,split\nx,a,eval\n", "line 2: split 'eval' must be one of train, validation"),
        ("path,label\nx," + "a" * 200_000, "is not a CSV file"),
        ("path,label\nx,a\n./x,b\n", "line 3: x is also in an earlier line"),
        ("path,label,group\nx,a,1\nx,a,2\n", "line 3: x is also in .* split or group"),
        ("path,label\nC:\\x\\1.png,a\n", "line 2: .* names a drive; give paths relative to"),
        ("path,label\nx,Gut\ny,gut\n", "'Gut' and 'gut' differ in upper and lower case"),
        ("path,label,split,group\nx,a,train,1\ny,a,test,1\n", "group '1' is in the splits"),
    ],
)
def test_mistakes_are_named(tmp_path, text, message):
    write(tmp_path, text)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_another_encoding(tmp_path, encoding):
    write(tmp_path, "path,label\nx,Prüfung\n", encoding)
    with pytest.raises(DataError, match=r"line \d: is not UTF-8 text; save the manifest as UTF-8"):
        read(tmp_path)


def test_a_missing_one(tmp_path):
    with pytest.raises(DataError, match=r"m\.csv: there is no such manifest"):
        read(tmp_path)
