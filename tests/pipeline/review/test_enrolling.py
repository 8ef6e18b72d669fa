"""Which reviewed images are enrolled; `tests/serving/enroll` has the enrolling itself."""

from __future__ import annotations

import hashlib

import pytest
from judged_runs import Pipelines, good, judged

from pipeline.config.reading import parse
from pipeline.review.enrolling import NothingToEnroll, enroll_reviewed, reviewed_images
from records import training_keys
from storage.enrolled_images import EnrolledImage, write_enrolled_images
from storage.lineage import Lineage, write_lineage
from storage.spans import SpanRecord
from traffic.rows import Decision, Kept, Review
from traffic.store import TrafficStore


@pytest.fixture
def config(tmp_path):
    data = {"root": f"{tmp_path}/parts-{{SPAN}}"}
    return parse({"name": "mine", "output": str(tmp_path / "runs"), "data": data})


@pytest.fixture
def store(tmp_path):
    with TrafficStore(tmp_path / "traffic", create=True) as made:
        for name, label in (("a", "dent"), ("b", "dent"), ("c", "bent")):
            digest = made.add_image(name.encode(), Kept.UNKNOWN, 1.0)
            made.review(Review(digest, 1.0, Decision.LABEL, label))
        yield made


@pytest.fixture
def model(config):
    """A pushed version without a model, which the stand-in does not need."""
    folder = config.root / "serving" / "1"
    (folder / "assets.extra").mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    return folder


@pytest.fixture
def asked(monkeypatch):
    """Stands in for `serving.enroll`; holds classes and their images."""
    from serving import enroll

    calls = []

    def stand_in(model, add, extend, check):
        assert extend is None  # whether the model has the class or not
        [(label, folder)] = add.items()
        calls.append((label, sorted(file.read_bytes() for file in folder.iterdir())))

    monkeypatch.setattr(enroll, "enroll", stand_in)
    return calls


def test_the_reviewed_images_of_a_class_are_enrolled(config, store, model, asked):
    enroll_reviewed(config, store, "dent")
    assert asked == [("dent", [b"a", b"b"])]


def test_those_that_the_model_has_are_not_enrolled_again(config, store, model, asked):
    key = training_keys.key(hashlib.sha256(b"a").hexdigest())
    write_enrolled_images(model, [EnrolledImage("dent", "dent/a", key, b"a")])
    enroll_reviewed(config, store, "dent")
    assert asked == [("dent", [b"b"])]


def test_images_of_a_span_that_the_model_was_not_trained_on_are_enrolled(
    config, store, model, asked, tmp_path
):
    judgement = judged(good()).judgement
    for span in (1, 2):
        (tmp_path / f"parts-{span}").mkdir()
    run = Pipelines(tmp_path).add(
        found=judged(good())._replace(
            judgement=judgement.model_copy(update={"root": f"{tmp_path}/parts-1"})
        )
    )
    write_lineage(model, Lineage(made_by="run", run=run))
    a, b = (hashlib.sha256(name).hexdigest() for name in (b"a", b"b"))
    store.set_span({a: "dent"}, 1)
    store.set_span({b: "dent"}, 2)  # its run was not blessed, or has not been started
    assert reviewed_images(config, store, model)["dent"] == [b]
    enroll_reviewed(config, store, "dent")
    assert asked == [("dent", [b"b"])]


def test_without_a_run_that_is_known_images_of_spans_are_not_enrolled(config, store, model, asked):
    store.set_span({hashlib.sha256(b"a").hexdigest(): "dent"}, 1)
    enroll_reviewed(config, store, "dent")
    assert asked == [("dent", [b"b"])]


def test_images_of_the_data_set_are_not_enrolled(config, store, model, asked):
    digest = store.add_image(b"d", Kept.SUSPECT, 1.0, "dent/d.png", "dent")
    store.review(Review(digest, 1.0, Decision.LABEL, "dent"))
    enroll_reviewed(config, store, "dent")
    assert asked == [("dent", [b"a", b"b"])]


def test_an_image_that_was_trained_on_and_is_reviewed_again_is_not_enrolled(
    config, store, model, asked, tmp_path
):
    (tmp_path / "parts-1").mkdir()
    found = judged(good())
    judgement = found.judgement.model_copy(update={"root": f"{tmp_path}/parts-1"})
    run = Pipelines(tmp_path).add(found=found._replace(judgement=judgement))
    write_lineage(model, Lineage(made_by="run", run=run))
    a = hashlib.sha256(b"a").hexdigest()
    SpanRecord(before=0, added={"dent/a.png": a}).write(tmp_path / "parts-1")
    enroll_reviewed(config, store, "dent")
    assert asked == [("dent", [b"b"])]


def test_without_images_nothing_is_enrolled(config, store, model, asked):
    with pytest.raises(NothingToEnroll, match="no reviewed images of 'cut'"):
        enroll_reviewed(config, store, "cut")
