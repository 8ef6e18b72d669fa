from __future__ import annotations

import math
import sqlite3

import numpy as np
import pytest

from traffic.database import TrafficError
from traffic.reviews import AlreadyReviewed
from traffic.rows import Answer, Decision, Kept, Review
from traffic.store import TrafficStore


@pytest.fixture
def store(tmp_path):
    with TrafficStore(tmp_path / "traffic", create=True) as made:
        yield made


def _answer(time=1.0, **changes):
    return Answer(time=time, model="m", version=3, label="bent", known=True)._replace(**changes)


def test_answers_come_back_as_they_were(store):
    answer = _answer(
        score=0.5, margin=0.25, probability=0.75, digest="ab", request="r",
        embedding=np.arange(3, dtype=np.float32), other_version=4, other_label="cut",
    )  # fmt: skip
    invalid = _answer(2.0, label="", known=False, valid=False, reason="not_an_image")
    store.add_answers([invalid, answer])
    first, second = store.answers()
    np.testing.assert_array_equal(first.embedding, answer.embedding)
    assert first._replace(embedding=None) == answer._replace(embedding=None)
    assert math.isnan(second.score)
    assert second.embedding is None
    assert second[:7] == invalid[:7]


def test_answers_of_a_period_and_model(store):
    store.add_answers([_answer(1.0), _answer(2.0), _answer(3.0, model="other")])
    assert [each.time for each in store.answers(since=2.0)] == [2.0, 3.0]
    assert [each.time for each in store.answers(until=2.0)] == [1.0]
    assert [each.time for each in store.answers(model="other")] == [3.0]
    assert [each.time for each in store.answers(model="m", version=4)] == []
    assert store.count_by_version(since=2.0, until=4.0) == {("m", 3): 1, ("other", 3): 1}


def test_counts_of_a_period(store):
    old, unknown = _answer(time=1), _answer(time=9, known=False)
    store.add_answers([old, _answer(time=9), _answer(time=9), unknown, _answer(9, valid=False)])
    assert store.count_answers(since=5) == [("bent", False, 1), ("bent", True, 2)]


def test_what_is_recorded_twice_counts_once(store):
    store.add_answers([_answer(request="a"), _answer(request="a"), _answer(), _answer()])
    assert len(store.answers()) == 3


def test_last_answers_about_images_that_are_kept(store):
    first, second = (store.add_image(name, Kept.UNKNOWN, 1.0) for name in (b"a", b"b"))
    store.add_answers([_answer(2.0, digest=first, label="new"), _answer(1.0, digest=first)])
    store.add_answers([_answer(3.0, digest=second), _answer(3.0, digest=second, label="later")])
    store.add_answers([_answer(4.0, digest="f" * 64), _answer(5.0)])
    assert {digest: one.label for digest, one in store.last_answers().items()} == {
        first: "new",
        second: "later",
    }


def test_removes_old_answers(store):
    store.add_answers([_answer(1.0), _answer(2.0)])
    assert store.remove_answers(before=2.0) == 1
    assert [each.time for each in store.answers()] == [2.0]


def test_images_are_kept_once(store):
    digest = store.add_image(b"one", Kept.UNKNOWN, 1.0)
    assert store.add_image(b"one", Kept.RANDOM, 2.0) == digest
    (image,) = store.images()
    assert (image.kept, image.time, image.size) == (Kept.UNKNOWN, 1.0, 3)
    assert store.image_path(digest).read_bytes() == b"one"
    assert store.image(digest) == image


def test_oldest_images_go_first_and_reviewed_ones_stay(store):
    first, second, third = (
        store.add_image(bytes([i]) * 10, Kept.UNKNOWN, float(i)) for i in range(3)
    )
    store.review(Review(first, 5.0, Decision.NONE))
    added = store.add_image(b"brought" * 10, Kept.ADDED, 0.0)
    assert store.bytes_kept() == 20  # of those that may be removed
    assert store.remove_oldest_images(limit=10) == 1
    assert {each.digest for each in store.images()} == {first, third, added}
    assert not store.image_path(second).exists()


@pytest.mark.parametrize("digest", ["../../etc/passwd", "AB" * 32, ""])
def test_a_digest_is_no_path(store, digest):
    with pytest.raises(TrafficError, match="SHA-256"):
        store.image_path(digest)


def test_two_people_review_the_same_image(store):
    digest = store.add_image(b"x", Kept.UNKNOWN, 1.0)
    review = Review(digest, 2.0, Decision.LABEL, "bent", "Ann")
    store.review(review)
    store.review(review._replace(time=3.0))  # sent twice
    store.review(review._replace(time=3.0, reviewer="Bob"))  # who agrees
    assert store.review_of(digest).reviewer == "Ann"
    with pytest.raises(AlreadyReviewed, match="by Ann as 'bent'"):
        store.review(Review(digest, 3.0, Decision.NONE, reviewer="Bob"))
    store.review(Review(digest, 3.0, Decision.NONE, reviewer="Bob"), replace=True)
    assert store.review_of(digest).reviewer == "Bob"
    store.undo_review(digest)
    assert store.review_of(digest) is None
    assert len(store.images(unreviewed=True)) == 1


def test_decisions_are_kept_all_or_none(store):
    first, second = (store.add_image(name, Kept.UNKNOWN, 1.0) for name in (b"a", b"b"))
    store.review(Review(second, 2.0, Decision.SKIP))
    with pytest.raises(AlreadyReviewed) as raised:
        store.review(Review(first, 3.0, Decision.NONE), Review(second, 3.0, Decision.NONE))
    assert raised.value.review.digest == second
    assert [one.decision for one in store.reviews()] == [Decision.SKIP]


def test_what_was_trained_on_is_not_taken_back(store):
    digest = store.add_image(b"x", Kept.UNKNOWN, 1.0)
    store.review(Review(digest, 2.0, Decision.LABEL, "bent"))
    store.set_span({digest: "bent"}, 4)
    with pytest.raises(AlreadyReviewed):
        store.undo_review(digest)
    with pytest.raises(AlreadyReviewed):
        store.review(Review(digest, 2.0, Decision.NONE))
    assert store.reviews(not_in_a_span=True) == []
    assert [each.span for each in store.reviews()] == [4]


def test_what_was_trained_on_is_corrected_by_the_next_span(store):
    digest = store.add_image(b"x", Kept.UNKNOWN, 1.0)
    store.review(Review(digest, 2.0, Decision.LABEL, "bent"))
    store.set_span({digest: "bent"}, 4)
    store.review(Review(digest, 3.0, Decision.LABEL, "cut"), replace=True)
    assert [(one.label, one.span) for one in store.reviews(not_in_a_span=True)] == [("cut", None)]


def test_a_decision_that_changes_while_a_span_is_written_waits_for_the_next(store):
    digest = store.add_image(b"x", Kept.UNKNOWN, 1.0)
    store.review(Review(digest, 2.0, Decision.LABEL, "cut"))
    store.set_span({digest: "bent"}, 4)
    assert store.review_of(digest).span is None


@pytest.mark.parametrize(
    "review",
    [
        Review("0" * 64, 1.0, Decision.NONE),
        Review("0" * 64, 1.0, Decision.LABEL),
        Review("0" * 64, 1.0, Decision.SKIP, "bent"),
    ],
)
def test_a_review_must_fit(store, review):
    with pytest.raises(TrafficError):
        store.review(review)
    assert store.reviews() == []


def test_a_store_of_a_newer_version_is_refused_by_name(tmp_path):
    TrafficStore(tmp_path, create=True).close()
    with sqlite3.connect(tmp_path / "traffic.db") as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(TrafficError, match=r"traffic\.db.*newer"):
        TrafficStore(tmp_path)


def test_no_store_is_refused_by_name(tmp_path):
    with pytest.raises(TrafficError, match="no traffic store"):
        TrafficStore(tmp_path / "nothing")


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "traffic.db").write_bytes(b"no database" * 500)
    with pytest.raises(TrafficError, match="cannot be opened"):
        TrafficStore(tmp_path)


def test_several_processes_write_at_once(tmp_path):
    with TrafficStore(tmp_path, create=True) as one, TrafficStore(tmp_path) as other:
        one.add_answers([_answer(1.0)])
        other.add_answers([_answer(2.0)])
        assert len(one.answers()) == len(other.answers()) == 2
