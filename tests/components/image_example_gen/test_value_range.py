import numpy as np
import pytest

from base.errors import DataError
from components.image_example_gen.value_range import held_out, merged, summary, value_range


def of(path, values, is_float=False):
    return summary(
        path, is_float, np.quantile(values, np.linspace(0, 1, 100)).astype("f4").tobytes()
    )


def test_a_few_extreme_values_do_not_count():
    values = np.append(np.linspace(1000, 2000, 100_000), 65535)
    few = merged([of(f"{number}", np.sort(values)[:-1]) for number in range(20)])
    found = value_range(few, 20, None)
    assert (found.low, found.high) == pytest.approx((1000, 2000), abs=2)


def test_the_order_does_not_matter():
    some = [of(f"{number}", np.linspace(number, number + 9, 50)) for number in range(9)]
    one_by_one = merged([])
    for one in reversed(some):
        one_by_one = merged([one_by_one, one])
    assert one_by_one == merged(some)


def test_values_of_many_images_are_bounded():
    some = merged([of(f"{number}", np.arange(50)) for number in range(3000)])
    assert (some.images, len(some.kept)) == (3000, 1024)


def test_images_of_one_value_have_a_range():
    found = value_range(merged([of("a", np.full(9, 7))]), 1, None)
    assert found.low < found.high


def test_among_images_of_eight_bits_16_bits_are_all_used():
    few = merged([of(f"{number}", np.arange(50)) for number in range(3)])
    assert value_range(few, 10, None) is None
    assert value_range(few, 5, None) is not None


def test_among_images_of_eight_bits_floats_need_a_range():
    few = merged([of("b.tiff", np.arange(50), is_float=True), of("a.png", np.arange(50))])
    with pytest.raises(DataError, match=r"^b.tiff has values below 0.*set image.range"):
        value_range(few, 10, None)
    given = value_range(few, 10, (0, 1))
    assert (given.low, given.high, given.given) == (0, 1, True)


def test_a_float_image_of_another_split_needs_a_range_too():
    deep = merged([held_out(of("b.tiff", np.arange(50), is_float=True))])
    assert (deep.images, deep.kept) == (0, ())
    with pytest.raises(DataError, match=r"^b.tiff has values below 0.*set image.range"):
        value_range(deep, 10, None)
