import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.commands.answers import (
    Tally,
    answer_as_json,
    show_answer,
    show_pairs,
    show_pairs_as_json,
)
from serving.answers import Classification, Comparison
from serving.client import FileAnswer

SAME = Comparison(0.9, same=True, valid=True)
DIFFERENT = Comparison(0.6, same=False, valid=True)  # the model's threshold, not 0.5, decides
SCORES = {"dent": 0.91, "good": -0.2}
DENT = FileAnswer(Path("d/x/1.jpg"), Classification("dent", True, SCORES, ["dent/7.jpg"], True))
NONE = FileAnswer(Path("d/x/2.jpg"), Classification("dent", False, SCORES, ["dent/7.jpg"], True))
UNUSABLE = FileAnswer(Path("d/x/3.jpg"), None, "d/x/3.jpg is empty")


@pytest.fixture
def out():
    return Console(file=io.StringIO(), width=100)


def test_pairs_with_a_known_truth_are_counted(out):
    a, b = Path("x/a.png"), Path("x/b.png")
    show_pairs(out, [(a, b, True), (a, b, False)], [SAME, SAME])
    text = out.file.getvalue()
    assert "x/a.png" in text
    assert "0.900" in text
    assert "1 of 2 pairs are judged rightly." in text


def test_unknown_pairs_are_not(out):
    show_pairs(out, [(Path("a"), Path("b"), None)], [DIFFERENT])
    assert "different" in out.file.getvalue()
    assert "rightly" not in out.file.getvalue()


def test_names_are_shown_as_they_are(out):
    show_pairs(out, [(Path("[dent]/1.jpg"), Path("two\nlines"), None)], [DIFFERENT])
    assert "[dent]/1.jpg" in out.file.getvalue()
    assert "two\\nlines" in out.file.getvalue()


def test_pairs_as_json(out):
    show_pairs_as_json(out, [(Path("a"), Path("b"), None)], [SAME])
    assert json.loads(out.file.getvalue()) == {
        "pairs": [{"left": "a", "right": "b", "similarity": 0.9, "same": True}],
    }


@pytest.mark.parametrize(
    ("answer", "truth", "line"),
    [
        (DENT, None, "x/1.jpg: dent (0.910), as dent/7.jpg"),
        (DENT, "dent", "x/1.jpg: dent (0.910), as dent/7.jpg"),
        (DENT, "good", "x/1.jpg: dent (0.910), as dent/7.jpg; in truth good"),
        (NONE, None, "x/2.jpg: none it knows; nearest to dent (0.910), as dent/7.jpg"),
        (UNUSABLE, None, "d/x/3.jpg is empty"),
    ],
)
def test_a_line_for_each_image(out, answer, truth, line):
    show_answer(out, answer, truth)
    assert out.file.getvalue() == f"{line}\n"


def test_answers_as_json():
    assert answer_as_json(DENT, "good") == {
        "image": "d/x/1.jpg",
        "label": "dent",
        "known": True,
        "scores": SCORES,
        "nearest": ["dent/7.jpg"],
        "truth": "good",
    }
    assert answer_as_json(UNUSABLE) == {"image": "d/x/3.jpg", "problem": "d/x/3.jpg is empty"}


def test_a_tally_of_answers():
    tally = Tally()
    for answer, truth in ((DENT, "dent"), (NONE, "dent"), (UNUSABLE, "dent"), (DENT, "good")):
        tally.count(answer, truth)
    assert tally.in_words(2.0) == (
        "3 images, 1.5 a second: 2 of a class, 1 of none that is known; 1 files could not be "
        "used. 1 of 3 are judged rightly."
    )


def test_a_tally_without_a_truth():
    tally = Tally()
    tally.count(DENT)
    assert tally.in_words(1.0) == "1 images, 1.0 a second: 1 of a class, 0 of none that is known."
