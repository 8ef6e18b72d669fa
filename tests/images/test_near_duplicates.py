import itertools

import pytest

from images.near_duplicates import Copy, Groups, grouped


def near(one, other, label="x", other_label="x"):
    return Copy((one, label), (other, other_label), identical=False)


def identical(one, other):
    return Copy((one, "x"), (other, "x"), identical=True)


def test_copies_of_one_image_are_a_group_without_a_chain():
    """d is a copy of c only; e of d only."""
    copies = [near("a", "c"), near("b", "c"), near("c", "d"), near("d", "e"), near("e", "f")]
    for order in itertools.permutations(copies):
        assert grouped(order).lists() == [["a", "b", "c", "d"], ["e", "f"]]


def test_identical_files_are_always_in_one_group():
    copies = [identical("a", "a2"), near("a", "b"), near("b", "c"), near("b", "d")]
    assert grouped(copies).lists() == [["a", "a2", "b", "c", "d"]]


def test_classes_are_not_joined_but_reported():
    groups = grouped([near("a", "b", "x", "y"), near("b", "a", "y", "x"), near("b", "c", "y", "y")])
    assert groups.lists() == [["b", "c"]]
    assert groups.contradictions == [("a", "b")]
    assert groups.largest == {"y": 2}


@pytest.mark.parametrize("names", list(itertools.permutations("abc")))
def test_groups_join_chains(names):
    first, second, third = names
    groups = Groups()
    groups.join(first, second)
    groups.join(third, second)
    assert [groups.first(name) for name in "abc"] == ["a", "a", "a"]
    assert groups.lists() == [["a", "b", "c"]]
