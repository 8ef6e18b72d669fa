import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from images import write_classes
from rich.console import Console

from pipeline.predict import compare_files, newest_model, show_pairs, show_pairs_as_json
from serving.predictor import Comparison

SAME = Comparison(0.9, same=True, valid=True)
DIFFERENT = Comparison(0.6, same=False, valid=True)  # the model's threshold, not 0.5, decides


def console():
    return Console(file=io.StringIO(), width=100)


def test_the_newest_version_is_the_highest_number(tmp_path):
    for name in ("9", "10", "not-a-version"):
        (tmp_path / name).mkdir()
    assert newest_model(str(tmp_path)) == tmp_path / "10"


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_no_model(tmp_path, folder):
    with pytest.raises(ValueError, match="no model has been pushed there"):
        newest_model(str(tmp_path / folder))


def test_files_that_are_no_images_are_named(tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"")
    with pytest.raises(ValueError, match=r"bad\.jpg is empty"):
        compare_files(tmp_path, [(bad, bad, None)])
    with pytest.raises(ValueError, match=r"none\.jpg: cannot be read \(No such file"):
        compare_files(tmp_path, [(tmp_path / "none.jpg", bad, None)])


def test_files_that_the_model_cannot_use_are_named(tmp_path, monkeypatch):
    write_classes(tmp_path, classes=1, each=1)
    [file] = tmp_path.rglob("*.png")
    refused = SimpleNamespace(compare=lambda left, right: [Comparison(float("nan"), False, False)])
    monkeypatch.setattr("serving.predictor.Predictor", lambda model: refused)
    with pytest.raises(ValueError, match=r"0\.png: the model cannot use one of them"):
        compare_files(tmp_path, [(file, file, None)])


def test_pairs_with_a_known_truth_are_counted():
    out = console()
    a, b = Path("x/a.png"), Path("x/b.png")
    show_pairs(out, Path("m"), [(a, b, True), (a, b, False)], [SAME, SAME])
    text = out.file.getvalue()
    assert "x/a.png" in text
    assert "0.900" in text
    assert "1 of 2 pairs are judged rightly." in text


def test_unknown_pairs_are_not():
    out = console()
    show_pairs(out, Path("m"), [(Path("a"), Path("b"), None)], [DIFFERENT])
    assert "different" in out.file.getvalue()
    assert "rightly" not in out.file.getvalue()


def test_names_are_shown_as_they_are():
    out = console()
    show_pairs(out, Path("m"), [(Path("[dent]/1.jpg"), Path("two\nlines"), None)], [DIFFERENT])
    assert "[dent]/1.jpg" in out.file.getvalue()
    assert "two\\nlines" in out.file.getvalue()


def test_json():
    out = console()
    show_pairs_as_json(out, Path("m"), [(Path("a"), Path("b"), None)], [SAME])
    assert json.loads(out.file.getvalue()) == {
        "model": "m",
        "pairs": [{"left": "a", "right": "b", "similarity": 0.9, "same": True}],
    }
