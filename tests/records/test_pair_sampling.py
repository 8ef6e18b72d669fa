"""What holds for every sampler, and for each of them, whatever the labels."""

from collections import Counter
from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from base.errors import DataError
from records.pair_sampling import (
    all_pairs,
    class_balanced,
    covering,
    held_out_pairs,
    random_partners,
)

settings.register_profile("sampling", deadline=None, max_examples=60)
settings.load_profile("sampling")

SAMPLERS = {
    "class_balanced": lambda labels, seed: class_balanced(labels, 3, 2, 2, seed),
    "all_pairs": lambda labels, seed: all_pairs(labels, 5, 2, seed),
    "random_partners": lambda labels, seed: random_partners(labels, 3, seed),
    "held_out_pairs": lambda labels, seed: held_out_pairs(labels, 4, 20, seed),
}

every_sampler = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)

seeds = st.integers(0, 2**32)


@st.composite
def labelled(draw, most_classes=8, most_images=12):
    """Labels, in any order, of which pairs of both kinds can be made."""
    sizes = draw(st.lists(st.integers(1, most_images), min_size=2, max_size=most_classes))
    if max(sizes) == 1:
        sizes[0] = 2
    return draw(st.permutations(labels_of(*sizes)))


def labels_of(*sizes):
    return [b"class %d" % number for number, size in enumerate(sizes) for _ in range(size)]


def images_of(blocks):
    return Counter(chain.from_iterable(block.images for block in blocks))


def image_pairs(block):
    return [
        (block.images[a], block.images[b]) for a, b in zip(block.left, block.right, strict=True)
    ]


def is_same(labels, pair):
    return labels[pair[0]] == labels[pair[1]]


@every_sampler
@given(labels=labelled(), seed=seeds)
def test_blocks_hold_each_image_once_and_pair_each_two_once(sampler, labels, seed):
    blocks = list(sampler(labels, seed))
    assert blocks
    for block in blocks:
        assert len(block.images) >= 2
        assert len(set(block.images)) == len(block.images)
        assert set(block.images) <= set(range(len(labels)))
        assert len(block.left) == len(block.right) >= 1
        unordered = [frozenset(pair) for pair in image_pairs(block)]
        assert all(len(pair) == 2 for pair in unordered)
        assert len(set(unordered)) == len(unordered)


@every_sampler
@given(labels=labelled(), seed=seeds)
def test_reproducible(sampler, labels, seed):
    assert list(sampler(labels, seed)) == list(sampler(labels, seed))


@every_sampler
def test_seeds_differ(sampler):
    labels = labels_of(12, 12, 12, 12)
    assert list(sampler(labels, 0)) != list(sampler(labels, 1))


@every_sampler
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (labels_of(5), "5 images of 1 class.* no pair of different classes"),
        (labels_of(1, 1, 1), "3 images of 3 classes .* no pair of the same class"),
        ([], "0 images of 0 class"),
    ],
)
def test_labels_without_pairs_are_refused(sampler, labels, message):
    with pytest.raises(DataError, match=message):
        list(sampler(labels, 0))


class TestRandomPartners:
    @given(labels=labelled(), partners=st.integers(1, 10), seed=seeds)
    def test_each_image_has_different_partners(self, labels, partners, seed):
        blocks = list(random_partners(labels, partners, seed))
        assert all(block.left == (0,) and block.right == (1,) for block in blocks)
        anchors = Counter(block.images[0] for block in blocks)
        expected = min(partners, len(labels) - 1)
        assert anchors == dict.fromkeys(range(len(labels)), expected)
        assert len({block.images for block in blocks}) == len(blocks)

    def test_the_article_has_1440_pairs(self):
        assert len(list(random_partners(labels_of(90, 90), 8, seed=0))) == 1440


class TestClassBalanced:
    @given(
        labels=labelled(),
        ways=st.integers(2, 6),
        shots=st.integers(2, 5),
        passes=st.integers(1, 4),
        seed=seeds,
    )
    def test_blocks(self, labels, ways, shots, passes, seed):
        sizes = Counter(labels)
        blocks = list(class_balanced(labels, ways, shots, passes, seed))
        for block in blocks:
            in_block = Counter(labels[image] for image in block.images)
            assert len(in_block) == min(ways, len(sizes))
            assert in_block == {label: min(shots, sizes[label]) for label in in_block}
            every = {frozenset(pair) for pair in combinations(block.images, 2)}
            assert {frozenset(pair) for pair in image_pairs(block)} == every
            assert any(is_same(labels, pair) for pair in image_pairs(block))
            assert any(not is_same(labels, pair) for pair in image_pairs(block))
        drawn = sum(images_of(blocks).values())
        assert passes * len(labels) <= drawn < passes * len(labels) + ways * shots

    @given(labels=labelled(), seed=seeds)
    def test_the_images_of_a_class_take_turns(self, labels, seed):
        drawn = images_of(class_balanced(labels, 3, 2, 3, seed))
        for label in set(labels):
            counts = [drawn[image] for image, other in enumerate(labels) if other == label]
            # One turn apart, and one more while a turn is under way within a block.
            assert max(counts) - min(counts) <= 2

    @given(sizes=st.lists(st.integers(2, 12), min_size=2, max_size=8), seed=seeds)
    def test_classes_take_turns_whatever_their_size(self, sizes, seed):
        labels = labels_of(*sizes)
        blocks = list(class_balanced(labels, 3, 2, 4, seed))
        of_class = Counter(label for b in blocks for label in {labels[i] for i in b.images})
        counts = [of_class[label] for label in set(labels)]
        assert max(counts) - min(counts) <= 2

    @pytest.mark.parametrize("sizes", [(40, 40), (2,) * 90, (200, 2), (50,) * 10])
    def test_passes_are_what_they_say(self, sizes):
        labels = labels_of(*sizes)
        drawn = images_of(class_balanced(labels, 10, 5, 8, seed=0))
        assert sum(drawn.values()) == pytest.approx(8 * len(labels), abs=50)
        if len(set(sizes)) == 1:
            assert set(drawn) == set(range(len(labels)))
            assert all(6 <= count <= 10 for count in drawn.values())

    def test_many_images(self):
        blocks = list(class_balanced(labels_of(2000, 2000), 2, 5, 1, seed=0))
        assert images_of(blocks) == dict.fromkeys(range(4000), 1)

    def test_many_classes(self):
        blocks = list(class_balanced(labels_of(*[2] * 900), 10, 5, 2, seed=0))
        assert images_of(blocks) == dict.fromkeys(range(1800), 2)


class TestAllPairs:
    @given(labels=labelled(), size=st.integers(2, 9), passes=st.integers(1, 3), seed=seeds)
    def test_each_pass_divides_the_images(self, labels, size, passes, seed):
        blocks = list(all_pairs(labels, size, passes, seed))
        assert images_of(blocks) == dict.fromkeys(range(len(labels)), passes)
        for block in blocks:
            count = len(block.images)
            # Three images do not go into blocks of two without one being left over.
            assert 2 <= count <= max(size, 3)
            assert len(block.left) == count * (count - 1) // 2

    def test_passes_differ(self):
        one, other = all_pairs(labels_of(10, 10), 20, passes=2, seed=0)
        assert one.images != other.images


class TestHeldOutPairs:
    @given(
        labels=labelled(),
        partners=st.integers(2, 9),
        most=st.integers(3, 30),
        seed=seeds,
    )
    def test_balanced_and_never_repeated(self, labels, partners, most, seed):
        blocks = list(held_out_pairs(labels, partners, most, seed))
        assert all(block.left == (0,) and block.right == (1,) for block in blocks)
        assert len({frozenset(block.images) for block in blocks}) == len(blocks)
        assert len(images_of(blocks)) <= most
        kinds = Counter(is_same(labels, block.images) for block in blocks)
        assert kinds[True] == kinds[False] >= 1

    @pytest.mark.parametrize(
        ("sizes", "pairs_of_a_kind"),
        [
            ((10, 10), 20 * 8 // 2),
            ((8,) * 10, 10 * 28),  # all there are of the same class
            ((2,) * 90, 90),
            ((50, 3), 50 * 3),  # all there are of different classes
        ],
    )
    def test_as_many_pairs_as_the_data_has(self, sizes, pairs_of_a_kind):
        labels = labels_of(*sizes)
        blocks = list(held_out_pairs(labels, 16, 2000, seed=0))
        same = Counter()
        for block in blocks:
            if is_same(labels, block.images):
                same.update(block.images)
        assert len(blocks) == 2 * pairs_of_a_kind
        assert max(same.values()) <= 8
        assert set(same) == set(range(len(labels)))

    def test_each_image_takes_part_in_its_share(self):
        blocks = list(held_out_pairs(labels_of(*[40] * 5), 16, 2000, seed=0))
        taken = images_of(blocks)
        assert set(taken) == set(range(200))
        assert sum(taken.values()) == 200 * 16
        assert all(10 <= count <= 22 for count in taken.values())

    def test_classes_are_paired_with_all_others(self):
        labels = labels_of(*[20] * 5)
        classes = {
            frozenset(labels[image] for image in block.images)
            for block in held_out_pairs(labels, 16, 2000, seed=0)
        }
        assert len(classes) == 5 + 10

    def test_images_are_drawn_by_class_in_turn(self):
        labels = labels_of(500, 30, 30)
        drawn = Counter(labels[i] for i in images_of(held_out_pairs(labels, 16, 60, seed=0)))
        assert set(drawn.values()) == {20}

    def test_more_classes_than_images_still_pair(self):
        labels = labels_of(*[1] * 100, *[2] * 100)
        blocks = list(held_out_pairs(labels, 4, 50, seed=0))
        assert Counter(is_same(labels, block.images) for block in blocks) == {True: 25, False: 25}

    def test_two_images_cannot_make_both_kinds(self):
        with pytest.raises(ValueError, match="at least 3"):
            list(held_out_pairs(labels_of(2, 2), 16, 2, seed=0))


@pytest.mark.parametrize("largest", [3, 40, 41, 300])
def test_covering_draws_every_image(largest):
    labels = [b"%d" % (i % 20) for i in range(100)] + [b"20"] * largest
    arguments = (labels, class_balanced, 10, 5, 1, 0)
    found = list(covering(*arguments))
    assert {image for block in found for image in block.images} == set(range(len(labels)))
    assert found[: len(list(class_balanced(labels, 10, 5, 1, 0)))] == list(
        class_balanced(labels, 10, 5, 1, 0)
    )
    assert all(len(block.images) > 1 and len(block.left) > 0 for block in found)
    assert found == list(covering(*arguments))
