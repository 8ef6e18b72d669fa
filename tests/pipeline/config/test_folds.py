"""When images are dealt to folds without being asked."""

import pytest
from sample_images import write_classes

from pipeline.config.errors import ConfigError
from pipeline.config.folds import folds_of
from pipeline.config.reading import parse


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    folder = tmp_path_factory.mktemp("few")
    write_classes(folder, each=6, classes=2)
    return folder


def folds(root, **sections):
    return folds_of(parse({"data": {"root": str(root)}, **sections}))


def test_few_images_are_in_folds(few):
    assert folds(few) == 5


def test_thirty_images_a_class_are_in_splits(tmp_path):
    write_classes(tmp_path, each=30, classes=2)
    assert folds(tmp_path) is None
    (tmp_path / "class-0" / "0.png").unlink()
    assert folds(tmp_path) == 5


@pytest.mark.parametrize(
    "sections",
    [
        {"splits": {"folds": None}},
        {"splits": {"train": 0.5, "validation": 0.25, "test": 0.25}},
        {"splits": {"by": "class"}},
        {"tuner": {"enabled": True}},
        {"model": {"weights": "none"}},
        {"training": {"recipe": "fine_tuned"}},
    ],
)
def test_splits_are_kept_where_they_are_asked_for_or_needed(few, sections):
    assert folds(few, **sections) is None


def test_the_same_holds_for_a_configuration_that_a_run_has_written(few):
    written = parse({"data": {"root": str(few)}}).model_dump(mode="json")
    assert folds_of(parse(written)) == 5


def test_images_that_have_splits_keep_them(tmp_path):
    for split in ("train", "validation", "test"):
        write_classes(tmp_path / split, each=6, classes=2)
    assert folds(tmp_path) is None


def test_the_images_of_the_newest_span_are_counted(tmp_path):
    write_classes(tmp_path / "span-1", each=6, classes=2)
    assert folds(tmp_path / "span-{SPAN}") == 5
    write_classes(tmp_path / "span-2", each=40, classes=2)
    assert folds(tmp_path / "span-{SPAN}") is None


@pytest.mark.parametrize("root", ["gs://bucket/images", "images/span-{SPAN}", "missing"])
def test_images_that_cannot_be_counted_are_in_splits(root):
    assert folds(root) is None
    assert folds(root, splits={"folds": 4}) == 4


@pytest.mark.parametrize(
    ("sections", "why"),
    [
        ({"tuner": {"enabled": True}}, "a search"),
        ({"model": {"weights": "none"}}, "no pretrained weights"),
        ({"training": {"recipe": "fine_tuned"}}, "all weights are trained"),
        ({"splits": {"by": "class", "folds": 5}}, "holds out whole classes"),
    ],
)
def test_folds_that_cannot_be_judged_are_refused(few, sections, why):
    with pytest.raises(ConfigError, match=why):
        folds(few, **{"splits": {"folds": 5}, **sections})


def test_another_number_is_refused(few):
    with pytest.raises(ConfigError, match=r"splits\.folds"):
        folds(few, splits={"folds": 1})


def test_images_that_do_not_fit_in_memory_are_in_splits(few, monkeypatch):
    monkeypatch.setattr("pipeline.config.folds.most_images", lambda *_: 11)
    assert folds(few) is None
    assert folds(few, splits={"folds": 5}) == 5
