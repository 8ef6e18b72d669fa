import hashlib
import math

import pytest

from serving.recorder.keeping import Caps, why_kept
from traffic.rows import Answer, Kept, StoredImage
from traffic.settings import Keeping

CERTAIN = Answer(time=1.0, model="m", version=1, label="bent", known=True, margin=0.5)
NO_DRAW = {"random": 0.0}


def _why(answer, **rules):
    return why_kept(answer, Keeping(**{**NO_DRAW, **rules}))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"known": False}, Kept.UNKNOWN),
        ({"margin": 0.04}, Kept.LOW_MARGIN),
        ({"margin": math.nan}, None),  # a single class
        ({"other_version": 2, "other_label": "cut"}, Kept.DISAGREEMENT),
        ({"other_version": 2, "other_label": "bent"}, None),
        ({"valid": False, "known": False, "label": ""}, None),
    ],
)
def test_rules(changes, why):
    assert _why(CERTAIN._replace(**changes)) == why


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"known": False}, {"unknown": False}),
        ({"margin": 0.04}, {"low_margin": 0.01}),
        ({"other_version": 2, "other_label": "cut"}, {"disagreement": False}),
        ({"known": False}, {"images": False, "random": 1.0}),
    ],
)
def test_rules_can_be_turned_off(changes, rules):
    assert _why(CERTAIN._replace(**changes), **rules) is None


def test_a_random_image_counts_as_random_whatever_else_it_is():
    assert _why(CERTAIN._replace(known=False), random=1.0) == Kept.RANDOM


def test_the_share_at_random():
    rules = Keeping(random=0.1)
    digests = [hashlib.sha256(bytes([n % 256, n // 256])).hexdigest() for n in range(5000)]
    kept = [why_kept(CERTAIN._replace(digest=digest), rules) for digest in digests]
    assert 0.08 < kept.count(Kept.RANDOM) / 5000 < 0.12


def test_an_image_that_is_asked_about_again_is_not_drawn_again():
    rules = Keeping(random=0.5)
    for digest in ("0" * 64, "f" * 64):
        kept = {why_kept(CERTAIN._replace(digest=digest), rules) for _ in range(20)}
        assert len(kept) == 1


def test_caps_of_an_hour_and_a_day_are_those_of_each_reason():
    caps = Caps(Keeping(per_hour=2, per_day=3))
    for now in (0.0, 10.0):
        assert caps.room(Kept.UNKNOWN, now)
        caps.add(Kept.UNKNOWN, now)
    assert not caps.room(Kept.UNKNOWN, 20.0)
    assert caps.room(Kept.RANDOM, 20.0)
    assert caps.room(Kept.UNKNOWN, 3600.0)
    caps.add(Kept.UNKNOWN, 3600.0)
    assert not caps.room(Kept.UNKNOWN, 9000.0)  # three in the day
    assert caps.room(Kept.UNKNOWN, 86400.0)


def test_what_a_store_holds_counts():
    image = StoredImage("ab", 100.0, Kept.UNKNOWN, 1)
    caps = Caps(Keeping(per_hour=1), [image])
    assert not caps.room(Kept.UNKNOWN, 200.0)
