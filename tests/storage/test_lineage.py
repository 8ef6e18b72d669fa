import os

import pytest

from storage.lineage import (
    FILE,
    Figure,
    Lineage,
    LineageError,
    Verdict,
    next_lineage,
    now,
    read_lineage,
    write_lineage,
)

TRAINED = Lineage(
    made_by="run",
    pipeline="parts",
    run="20260101-000000",
    classes={"bolt": 5, "nut": 7},
    verdict=Verdict(
        outcome="blessed",
        reasons=("all reached",),
        figures={"auc": Figure(value=0.9, low=float("nan"), high=1, images=40)},
        on="data",
        time=now(),
    ),
)


def test_what_is_written_is_read(tmp_path):
    assert read_lineage(tmp_path) is None
    write_lineage(tmp_path, TRAINED)
    found = read_lineage(tmp_path)
    assert found.model_dump_json() == TRAINED.model_dump_json()  # NaN equals nothing
    assert os.listdir(tmp_path / "assets.extra") == ["lineage.json"]


def test_what_is_made_of_a_version_names_it_and_was_not_judged(tmp_path):
    write_lineage(tmp_path / "7", TRAINED)
    made = next_lineage(tmp_path / "7", "threshold", ("threshold of 'known' 0.5 → 0.6",))
    assert (made.parent, made.pipeline, made.run) == ("7", "parts", "20260101-000000")
    assert made.classes == TRAINED.classes
    assert made.verdict is None


def test_the_parent_may_have_none(tmp_path):
    made = next_lineage(tmp_path / "7", "enrolment", (), {"bolt": 5})
    assert (made.parent, made.run, made.classes) == ("7", "", {"bolt": 5})


def test_a_later_release_may_write_more(tmp_path):
    write_lineage(tmp_path, TRAINED)
    text = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(text.replace("{", '{"colour": "blue",', 1))
    assert read_lineage(tmp_path).run == TRAINED.run


@pytest.mark.parametrize(("text", "said"), [("{", "EOF"), ('{"made_by": "hand"}', "made_by")])
def test_a_damaged_one_is_named(tmp_path, text, said):
    write_lineage(tmp_path, TRAINED)
    (tmp_path / FILE).write_text(text)
    with pytest.raises(LineageError, match=f"{FILE}: is damaged .*{said}.*; delete it"):
        read_lineage(tmp_path)
