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
    quotas,
)

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}


def described(label, number, content=None, split=None):
    path = f"{label}/{number}"
    return Described(path, label, content or f"content of {path}", split)


def split_groups(groups, seed=0, shares=SHARES):
    """The split of each group of images, by name; groups of several classes come first."""
    pendings = [pending(name, images, seed) for name, images in groups.items()]
    totals = {}
    for group in pendings:
        for label, images in group.counts:
            known = totals.get(label, (0, 0))
            totals[label] = known[0] + images, known[1] + 1
    of_class = quotas(totals, shares)
    spanning = [group for group in pendings if len(group.counts) > 1]
    found = {group.name: split for group, split in assign(spanning, of_class)}
    for label in totals:
        of_label = [g for g in pendings if g.counts[0][0] == label and len(g.counts) == 1]
        found |= {group.name: split for group, split in assign(of_label, of_class)}
    return found


def splits_of(images, seed=0, shares=SHARES):
    """The splits of images that are each a group of their own, by path."""
    return split_groups({image.path: [image] for image in images}, seed, shares)


def counts_of(label, found):
    counted = Counter(split for path, split in found.items() if path.startswith(f"{label}/"))
    return tuple(counted[split] for split in SHARES)


@pytest.mark.parametrize(
    ("count", "first", "second"),
    [
        (1, (1, 0, 0), (1, 0, 0)),
        (2, (2, 0, 0), (2, 0, 0)),
        (3, (2, 1, 0), (2, 0, 1)),
        (4, (2, 1, 1), (2, 1, 1)),
        (5, (2, 2, 1), (2, 1, 2)),
        (6, (2, 2, 2), (2, 2, 2)),
        (10, (6, 2, 2), (6, 2, 2)),
        (100, (60, 20, 20), (60, 20, 20)),
        (3000, (1800, 600, 600), (1800, 600, 600)),
    ],
)
def test_each_class_is_divided_by_the_shares(count, first, second):
    """Small classes take turns in which split they give more to, so that each has a pair."""
    found = splits_of([described(label, i) for label in "ab" for i in range(count)])
    assert (counts_of("a", found), counts_of("b", found)) == (first, second)


def test_a_small_class_beside_a_large_one():
    sizes = {"a": 3, "b": 3000, "c": 3}
    found = splits_of([described(label, i) for label, n in sizes.items() for i in range(n)])
    assert [counts_of(c, found) for c in sizes] == [(2, 1, 0), (1800, 600, 600), (2, 1, 0)]


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


def a_group(label, name, size):
    return [described(label, f"{name}-{i}") for i in range(size)]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([5, 5, 5], (5, 5, 5)),
        ([6] * 12, (48, 12, 12)),
        ([100, 1, 1], (100, 1, 1)),
        ([3, 1], (3, 0, 1)),
        ([30], (30, 0, 0)),
        ([2, 1, 1, 1], (2, 2, 1)),
    ],
)
def test_groups_of_a_class_reach_every_split_if_there_are_three(sizes, expected):
    groups = {f"g{i}": a_group("a", i, size) for i, size in enumerate(sizes)}
    found = Counter()
    for name, split in split_groups(groups).items():
        found[split] += len(groups[name])
    assert tuple(found[split] for split in SHARES) == expected


def test_groups_of_several_classes_keep_each_class_balanced():
    """Twelve patients: each with six images of a healthy eye, half of them with a sick one too."""
    groups = {f"p{i}": a_group("healthy", i, 6) for i in range(12)}
    for i in range(6):
        groups[f"p{i}"] += a_group("sick", i, 4)
    found = Counter()
    for name, split in split_groups(groups).items():
        for image in groups[name]:
            found[image.label, split] += 1
    assert found["healthy", "train"] == 48
    assert min(found["sick", split] for split in SHARES) >= 4
    assert min(found["healthy", split] for split in SHARES) >= 12


def test_a_group_that_is_two_whole_classes_goes_to_train():
    groups = {"both": a_group("a", 0, 5) + a_group("b", 0, 3)}
    assert split_groups(groups) == {"both": "train"}


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.integers(1, 8), min_size=1, max_size=12),
    st.sampled_from([0.1, 0.34, 0.6, 0.9]),
    st.integers(0, 99),
)
def test_groups_leave_train_a_pair(sizes, train, seed):
    groups = {f"g{g}": a_group("a", g, size) for g, size in enumerate(sizes)}
    shares = {"train": train, "validation": (1 - train) / 2, "test": (1 - train) / 2}
    found = Counter()
    for name, split in split_groups(groups, seed, shares).items():
        found[split] += len(groups[name])
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


def test_a_groups_images_are_counted_once_for_the_group_and_once_for_each_class():
    images = [described("b", 0), described("a", 1), described("a", 0)]
    group = pending("g", images, 0)
    assert group == pending("g", images[::-1], 0)
    assert list(group.in_split("test")) == [
        Assigned("a/0", "a", "test", group="g", counts_group=True, counts_class=True),
        Assigned("a/1", "a", "test", group="g"),
        Assigned("b/0", "b", "test", group="g", counts_class=True),
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
