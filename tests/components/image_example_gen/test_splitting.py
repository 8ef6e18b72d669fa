from collections import Counter
from typing import NamedTuple

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that
from hypothesis import given, settings
from hypothesis import strategies as st

from components.image_example_gen import beam_steps
from components.image_example_gen.near_duplicates import Groups
from components.image_example_gen.splitting import Described, Placed, deal, waiting
from pipeline.config import Beam

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}


class Division(NamedTuple):
    splits: dict[str, str]
    set_aside: dict[str, str]


def described(label, number, content=None, split=None):
    path = f"{label}/{number}"
    return Described(path, label, content or f"content of {path}", split)


def divide(images, by="image", seed=0, shares=SHARES, same=()):
    """Run the Beam steps; `same` are pairs of paths of near-duplicates."""
    groups = Groups()
    for pair in same:
        groups.join(*pair)
    found: list[Placed] = []
    with beam.Pipeline(argv=list(Beam().args)) as pipeline:
        placed = (
            pipeline | "Images" >> beam.Create(images),
            pipeline | "Groups" >> beam.Create([groups]),
        ) | beam_steps.Divide(shares, by, seed)
        assert_that(placed, found.extend)
    return division(found)


def division(placed):
    return Division(
        {one.path: one.split for one in placed if one.split},
        {one.path: one.reason for one in placed if not one.split},
    )


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, (1, 0, 0)),
        (2, (2, 0, 0)),
        (3, (3, 0, 0)),
        (4, (2, 1, 1)),
        (5, (3, 1, 1)),
        (6, (2, 2, 2)),
        (10, (6, 2, 2)),
        (100, (60, 20, 20)),
    ],
)
def test_each_class_is_divided_by_the_shares(count, expected):
    images = [described(label, i) for label in "ab" for i in range(count)]
    splits = divide(images).splits
    for label in "ab":
        found = Counter(split for path, split in splits.items() if path.startswith(label))
        assert tuple(found[s] for s in SHARES) == expected


@pytest.mark.parametrize(
    "shares",
    [
        {"train": 0.1, "validation": 0.1, "test": 0.8},
        {"train": 0.8, "validation": 0.2, "test": 0.0},
    ],
)
def test_extreme_shares_are_kept(shares):
    images = [described("a", i) for i in range(100)]
    found = Counter(divide(images, shares=shares).splits.values())
    assert {split: found[split] for split in shares} == {s: 100 * v for s, v in shares.items()}


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.integers(1, 8), min_size=1, max_size=12),
    st.sampled_from([0.1, 0.34, 0.6, 0.9]),
    st.integers(0, 99),
)
def test_groups_leave_a_pair_to_learn_from(sizes, train, seed):
    groups = [
        waiting([described("a", f"{group}-{i}") for i in range(size)], seed)[1]
        for group, size in enumerate(sizes)
    ]
    shares = {"train": train, "validation": (1 - train) / 2, "test": (1 - train) / 2}
    found = Counter(placed.split for placed in deal(groups, shares))
    assert found["train"] >= min(2, sum(sizes))
    assert sum(found.values()) == sum(sizes)


def test_a_new_image_leaves_most_others_where_they_were():
    images = [described("a", i) for i in range(50)]
    before = divide(images).splits
    after = divide([*images, described("a", "new")]).splits
    assert sum(after[path] != split for path, split in before.items()) <= 5


def test_the_2019_articles_division():
    images = [described(label, i) for label in ("cat", "dog") for i in range(100)]
    shares = {"train": 0.9, "validation": 0.05, "test": 0.05}
    assert Counter(divide(images, shares=shares).splits.values())["train"] == 180


@settings(deadline=None, max_examples=10)
@given(st.data())
def test_near_duplicates_stay_together(data):
    count = data.draw(st.integers(4, 40))
    images = [described("ab"[i % 2], i) for i in range(count)]
    paths = st.sampled_from([image.path for image in images])
    same = data.draw(st.lists(st.tuples(paths, paths), max_size=20))
    by = data.draw(st.sampled_from(["image", "class"]))
    division = divide(images, by, same=same)
    for one, other in same:
        if one in division.splits and other in division.splits:
            assert division.splits[one] == division.splits[other]
    assert set(division.splits) | set(division.set_aside) == {image.path for image in images}
    assert not set(division.splits) & set(division.set_aside)


def test_the_order_of_the_files_plays_no_part_but_the_seed_does():
    images = [described("a", i) for i in range(30)]
    assert divide(images) == divide(images[::-1])
    assert divide(images) != divide(images, seed=1)


def test_whole_classes_are_kept_apart():
    images = [described(f"class {c}", i) for c in range(10) for i in range(5)]
    splits = divide(images, by="class").splits
    of_class: dict[str, set[str]] = {}
    for path, split in splits.items():
        of_class.setdefault(path.split("/")[0], set()).add(split)
    assert all(len(found) == 1 for found in of_class.values())
    assert Counter(next(iter(found)) for found in of_class.values()) == {
        "train": 6,
        "validation": 2,
        "test": 2,
    }


def test_given_splits_are_kept_and_the_rest_learns():
    images = [described("a", 0, split="test"), described("a", 1, split="validation")]
    assert divide([*images, described("a", 2)]).splits == {
        "a/0": "test",
        "a/1": "validation",
        "a/2": "train",
    }


def test_a_near_duplicate_in_two_given_splits_is_kept_for_judging():
    images = [
        described("a", 0, split="train"),
        described("a", 1, split="test"),
    ]
    division = divide(images, same=[("a/0", "a/1")])
    assert division.splits == {"a/1": "test"}
    assert division.set_aside == {"a/0": "shows the same as a/1, which is in split 'test'"}


def test_the_same_image_under_two_classes_is_set_aside_both_times():
    images = [described("a", 0, content="c"), described("b", 0, content="c"), described("a", 1)]
    division = divide(images)
    assert set(division.splits) == {"a/1"}
    assert division.set_aside == dict.fromkeys(
        ["a/0", "b/0"], "is the same image under classes a and b"
    )
