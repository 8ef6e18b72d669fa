from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.image_example_gen.splitting import Described, assign_splits

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}


def described(label, number, group=None, content=None, split=None):
    path = f"{label}/{number}"
    return Described(path, label, content or f"content of {path}", split, group or path)


def divide(images, by="image", seed=0, shares=SHARES):
    return assign_splits(images, shares, by, seed)


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
    images = [
        described("a", f"{group}-{i}", group=f"group {group}")
        for group, size in enumerate(sizes)
        for i in range(size)
    ]
    shares = {"train": train, "validation": (1 - train) / 2, "test": (1 - train) / 2}
    found = Counter(divide(images, seed=seed, shares=shares).splits.values())
    assert found["train"] >= min(2, len(images))


def test_a_new_image_leaves_most_others_where_they_were():
    images = [described("a", i) for i in range(50)]
    before = divide(images).splits
    after = divide([*images, described("a", "new")]).splits
    assert sum(after[path] != split for path, split in before.items()) <= 5


def test_the_2019_articles_division():
    images = [described(label, i) for label in ("cat", "dog") for i in range(100)]
    shares = {"train": 0.9, "validation": 0.05, "test": 0.05}
    assert Counter(divide(images, shares=shares).splits.values())["train"] == 180


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_near_duplicates_stay_together(data):
    count = data.draw(st.integers(4, 40))
    images = [
        described("ab"[i % 2], i, group=f"group {data.draw(st.integers(0, 12))}")
        for i in range(count)
    ]
    by = data.draw(st.sampled_from(["image", "class"]))
    division = divide(images, by)
    splits_of_group: dict[str, set[str]] = {}
    for image in images:
        if image.path in division.splits:
            splits_of_group.setdefault(image.group, set()).add(division.splits[image.path])
    assert all(len(splits) == 1 for splits in splits_of_group.values())
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
        described("a", 0, group="g", split="train"),
        described("a", 1, group="g", split="test"),
    ]
    division = divide(images)
    assert division.splits == {"a/1": "test"}
    assert division.set_aside == {"a/0": "shows the same as a/1, which is in split 'test'"}


def test_the_same_image_under_two_classes_is_set_aside_both_times():
    images = [described("a", 0, content="c"), described("b", 0, content="c"), described("a", 1)]
    division = divide(images)
    assert set(division.splits) == {"a/1"}
    assert division.set_aside == dict.fromkeys(
        ["a/0", "b/0"], "is the same image under classes a and b"
    )
