"""How groups of images are dealt to folds, as pure functions; `test_executor` runs them on Beam."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.image_example_gen.folds import fold_quotas, in_fold, number_of_folds
from components.image_example_gen.splitting import Assigned, Described, assign, pending


def dealt(sizes, folds=5, seed=0):
    """The number of single images of each class in each fold."""
    quotas = fold_quotas({label: (n, n) for label, n in sizes.items()}, folds)
    counts = {}
    for label, n in sizes.items():
        groups = [pending(f"{label}/{i}", [Described(f"{label}/{i}", label, f"{label}{i}", None)],
                          seed) for i in range(n)]  # fmt: skip
        found = Counter(int(fold) for _, fold in assign(groups, quotas))
        counts[label] = tuple(found[i] for i in range(max(found) + 1))
    return counts


@pytest.mark.parametrize(
    ("images", "folds"),
    [
        (3, [1, 2]),
        (4, [2, 2]),
        (5, [1, 2, 2]),
        (6, [2, 2, 2]),
        (10, [2] * 5),
        (23, [4, 4, 5, 5, 5]),
    ],
)
def test_images_of_a_class_come_in_pairs(images, folds):
    assert sorted(dealt({"a": images, "b": images})["a"]) == folds


def test_classes_take_turns_with_the_larger_folds():
    counts = dealt({"a": 5, "b": 5, "c": 5})
    assert [sum(column) for column in zip(*counts.values(), strict=True)] == [5, 5, 5]


def test_a_small_class_is_in_the_same_folds_as_the_others():
    """Or no fold would have a pair of different classes."""
    counts = dealt({"a": 3, "b": 40})
    assert len(counts["a"]) == 2
    assert counts["b"] == (8, 8, 8, 8, 8)


def test_few_images_make_fewer_folds():
    assert number_of_folds({"a": (3, 3), "b": (3, 3)}, 5) == 2
    assert number_of_folds({"a": (9, 9)}, 5) == 5
    assert number_of_folds({"a": (100, 100)}, 10) == 10


def test_groups_count_and_not_their_images():
    quotas = fold_quotas({"a": (40, 4)}, 5)
    groups = [
        pending(f"g{i}", [Described(f"{i}/{j}", "a", f"{i}{j}", None) for j in range(10)], 0)
        for i in range(4)
    ]
    assert sorted(Counter(fold for _, fold in assign(groups, quotas)).values()) == [2, 2]


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 30), min_size=2),
    st.integers(2, 10),
    st.integers(0, 3),
)
def test_every_image_is_in_one_fold_and_each_class_leaves_some_to_learn_from(sizes, folds, seed):
    for label, counts in dealt(sizes, folds, seed).items():
        assert sum(counts) == sizes[label]
        assert max(counts) < sizes[label] or sizes[label] == 1


def test_a_group_of_several_classes_goes_to_one_fold_and_counts_in_each_class():
    both = [Described(f"{label}/{i}", label, f"{label}{i}", None) for label in "ab" for i in (0, 1)]
    quotas = fold_quotas({"a": (6, 5), "b": (6, 5)}, 5)
    before = {label: dict(quota.remaining) for label, quota in quotas.items()}
    [(_, fold)] = assign([pending("both", both, 0)], quotas)
    for label, quota in quotas.items():
        assert quota.remaining == {**before[label], fold: before[label][fold] - 1}


def test_a_fold_is_kept_in_the_split_that_is_learned_from():
    image = in_fold(Assigned("a/0", "a", "3"))
    assert (image.split, image.fold) == ("train", 3)
