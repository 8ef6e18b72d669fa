from pathlib import Path

import pytest

from pipeline.runs.sampling import draw_images, draw_pairs

IMAGES = [(Path(f"{label}/{number}"), label) for label in "abc" for number in range(4)]


def test_pairs_are_in_turn_of_the_same_class_and_of_two():
    pairs = draw_pairs(IMAGES, 6)
    assert [same for _, _, same in pairs] == [True, False] * 3
    for left, right, same in pairs:
        assert left != right
        assert (left.parent == right.parent) == same


def test_a_seed_repeats_itself():
    assert draw_pairs(IMAGES, 4, seed=1) == draw_pairs(IMAGES[::1], 4, seed=1)
    assert draw_pairs(IMAGES, 4, seed=1) != draw_pairs(IMAGES, 4, seed=2)


@pytest.mark.parametrize("count", [2, 100])
def test_there_are_as_many_as_the_images_allow(count):
    assert 0 < len(draw_pairs(IMAGES, count)) <= count


def test_images_are_drawn_once_each():
    drawn = draw_images(IMAGES, 5)
    assert len(set(drawn)) == 5
    assert set(drawn) <= set(IMAGES)
    assert sorted(draw_images(IMAGES, 100)) == IMAGES
