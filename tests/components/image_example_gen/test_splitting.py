"""How images are assigned to splits, as pure functions; `test_executor` runs them on Beam."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.image_example_gen.splitting import (
    Assigned,
    Described,
    assign,
    assign_classes,
    contradictions,
    keep_held_out,
    pending,
)

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}


def described(label, number, content=None, split=None):
    path = f"{label}/{number}"
    return Described(path, label, content or f"content of {path}", split)


def splits_of(images, seed=0, shares=SHARES):
    """The splits of one class's images, without near-duplicates, by path."""
    groups = [pending([image], seed)[1] for image in images]
    return {assigned.path: assigned.split for assigned in assign(groups, shares)}


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
    found = Counter(splits_of([described("a", i) for i in range(count)]).values())
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
    found = Counter(splits_of(images, shares=shares).values())
    assert {split: found[split] for split in shares} == {s: 100 * v for s, v in shares.items()}


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.integers(1, 8), min_size=1, max_size=12),
    st.sampled_from([0.1, 0.34, 0.6, 0.9]),
    st.integers(0, 99),
)
def test_groups_leave_train_a_pair(sizes, train, seed):
    groups = [
        pending([described("a", f"{group}-{i}") for i in range(size)], seed)[1]
        for group, size in enumerate(sizes)
    ]
    shares = {"train": train, "validation": (1 - train) / 2, "test": (1 - train) / 2}
    found = Counter(assigned.split for assigned in assign(groups, shares))
    assert found["train"] >= min(2, sum(sizes))
    assert sum(found.values()) == sum(sizes)


def test_a_new_image_leaves_most_others_where_they_were():
    images = [described("a", i) for i in range(50)]
    before = splits_of(images)
    after = splits_of([*images, described("a", "new")])
    assert sum(after[path] != split for path, split in before.items()) <= 5


def test_the_2019_articles_division():
    images = [described("cat", i) for i in range(100)]
    shares = {"train": 0.9, "validation": 0.05, "test": 0.05}
    assert Counter(splits_of(images, shares=shares).values())["train"] == 90


def test_a_group_is_assigned_with_the_class_of_its_first_image():
    group = [described("b", 0), described("a", 1), described("a", 0)]
    label, group_of_a = pending(group, 0)
    assert label == "a"
    assert group_of_a == pending(group[::-1], 0)[1]
    assert [(assigned.path, assigned.label) for assigned in assign([group_of_a], SHARES)] == [
        ("a/0", "a"),
        ("a/1", "a"),
        ("b/0", "b"),
    ]


def test_the_seed_matters_but_the_order_of_the_files_does_not():
    images = [described("a", i) for i in range(30)]
    assert splits_of(images) == splits_of(images[::-1])
    assert splits_of(images) != splits_of(images, seed=1)


def test_whole_classes_are_kept_apart():
    labels = [f"class {c}" for c in range(10)]
    found = assign_classes(labels, SHARES, 0)
    assert found == assign_classes(labels[::-1], SHARES, 0)
    assert Counter(found.values()) == {"train": 6, "validation": 2, "test": 2}


def test_given_splits_are_kept_and_the_rest_goes_to_train():
    images = [described("a", 0, split="test"), described("a", 1)]
    found = [assigned for image in images for assigned in keep_held_out([image], None)]
    assert found == [Assigned("a/0", "a", "test"), Assigned("a/1", "a", "train")]


@pytest.mark.parametrize("split_of_class", [None, {"a": "train", "b": "test"}])
def test_of_near_duplicates_in_two_splits_the_held_out_ones_stay(split_of_class):
    group = [described("a", 0, split="train"), described("b", 1, split="test")]
    assert list(keep_held_out(group, split_of_class)) == [
        Assigned("a/0", "a", None, "shows the same as b/1, which is in split 'test'"),
        Assigned("b/1", "b", "test"),
    ]


def test_the_same_image_under_two_classes_is_excluded_both_times():
    images = [described("a", 0, content="c"), described("b", 0, content="c"), described("a", 1)]
    assert contradictions(images) == dict.fromkeys(
        ["a/0", "b/0"], "is the same image under classes a and b"
    )
