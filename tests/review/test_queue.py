from __future__ import annotations

import hashlib

import numpy as np
import pytest

from review.queue import RANDOM_EVERY, review_queue
from traffic.rows import Answer, Decision, Kept, Review
from traffic.store import TrafficStore


@pytest.fixture
def store(tmp_path):
    with TrafficStore(tmp_path / "traffic", create=True) as made:
        yield made


def keep(store, name, kept=Kept.LOW_MARGIN, embedding=None, time=1.0, **answer):
    """Keep an image named by its content, with an answer if there is an embedding or a field."""
    content = name.encode()
    if embedding is not None or answer:
        vector = None if embedding is None else np.asarray(embedding, np.float32)
        digest = hashlib.sha256(content).hexdigest()
        fields = {"model": "m", "version": 1, "label": "a", "known": True, "margin": 0.5, **answer}
        store.add_answers([Answer(time=time, digest=digest, embedding=vector, **fields)])
    return store.add_image(content, kept, time)


def names(store, limit=None):
    return [
        store.image_path(one.image.digest).read_bytes().decode()
        for one in review_queue(store, limit)
    ]


def test_suspects_come_first(store):
    keep(store, "unknown", Kept.UNKNOWN, [1, 0], known=False)
    keep(store, "suspect", Kept.SUSPECT, time=2.0)
    assert names(store) == ["suspect", "unknown"]


def test_what_the_model_is_unsure_of_comes_before_what_it_is_sure_of(store):
    keep(store, "sure", embedding=[1, 0, 0], margin=0.9)
    keep(store, "unsure", embedding=[0, 1, 0], margin=0.1)
    keep(store, "unknown", embedding=[0, 0, 1], margin=0.9, known=False)
    assert names(store) == ["unknown", "unsure", "sure"]


def test_images_of_two_kinds_come_before_copies_of_one(store):
    for i in range(3):
        keep(store, f"left {i}", embedding=[1, 0.001 * i], known=False)
    keep(store, "right", embedding=[0, 1], known=False)
    assert "right" in names(store, 2)


def test_what_was_reviewed_is_not_asked_again_and_moves_its_like_to_the_end(store):
    first = keep(store, "left 1", embedding=[1, 0], known=False)
    keep(store, "left 2", embedding=[1, 0.001], known=False)
    keep(store, "right", embedding=[0, 1], known=False)
    store.review(Review(first, 1.0, Decision.LABEL, "a"))
    assert names(store) == ["right", "left 2"]


def test_every_fifth_place_is_for_an_image_kept_at_random(store):
    for i in range(12):
        keep(store, f"unknown {i}", Kept.UNKNOWN, np.eye(12)[i], known=False)
        keep(store, f"random {i}", Kept.RANDOM, np.eye(12)[i], known=False)
    found = names(store)
    places = [place for place, name in enumerate(found, 1) if name.startswith("random")]
    assert places[:2] == [RANDOM_EVERY, 2 * RANDOM_EVERY]
    assert sorted(found) == sorted(set(found))
    assert len(found) == 24
    drawn = [name for name in found if name.startswith("random")]
    by_digest = sorted(drawn, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    assert drawn == by_digest  # not by uncertainty: they are a sample of the traffic


def test_an_embedding_alone_brings_no_image_forward(store):
    """The recorder asks for a share of them."""
    for i in range(3):
        keep(store, f"unsure {i}", embedding=np.eye(3)[i], margin=0.04 + i)
    keep(store, "unknown", Kept.UNKNOWN, known=False)
    assert "unknown" in names(store)[:2]


def test_images_whose_embeddings_cannot_be_compared_are_placed_by_uncertainty(store):
    for i in range(3):
        keep(store, f"new {i}", embedding=np.eye(3)[i], version=2, margin=0.5)
    keep(store, "old", embedding=[1, 0], version=1, margin=0.1)
    keep(store, "broken", valid=False, known=False, label="", margin=float("nan"))
    keep(store, "never asked")
    found = names(store)
    assert (found[0], found[4:]) == ("old", ["never asked", "broken"])


def test_a_limit_gives_the_head_of_the_whole_order(store):
    rng = np.random.default_rng(0)
    for i in range(30):
        kept = Kept.RANDOM if i % 4 == 0 else Kept.LOW_MARGIN
        keep(store, str(i), kept, rng.normal(size=4), margin=float(rng.random()))
    keep(store, "suspect", Kept.SUSPECT)
    for limit in (0, 1, 2, 7, 31, 99):
        assert names(store, limit) == names(store)[:limit]


def test_an_empty_store_has_an_empty_queue(store):
    assert review_queue(store) == []
