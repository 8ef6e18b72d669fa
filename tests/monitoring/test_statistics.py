import numpy as np
import pytest

from monitoring.statistics import mix, more_low_scores, shift

DRAWS = 199


def low(reference, traffic, threshold=-2.0, seed=0):
    return more_low_scores(
        reference, reference >= threshold, traffic, traffic >= threshold, DRAWS, seed
    )


@pytest.mark.parametrize(("n", "m"), [(15, 60), (120, 200), (60, 40)])
def test_p_values_of_low_scores_are_uniform_at_most_without_a_change(n, m):
    rng = np.random.default_rng(0)
    found = [low(rng.normal(size=n), rng.normal(size=m)).p_value for _ in range(100)]
    for level in (0.05, 0.2):
        # Three standard errors of 100 trials.
        assert np.mean(np.array(found) <= level) < level + 3 * np.sqrt(level / 100)


def test_ten_images_below_all_of_the_reference_are_found():
    rng = np.random.default_rng(0)
    reference, traffic = rng.normal(size=120), rng.normal(size=200)
    traffic[:10] = -9 - np.arange(10)
    found = low(reference, traffic)
    assert found.p_value < 0.04
    assert found.effect >= 0.05


def test_higher_scores_are_no_alarm():
    rng = np.random.default_rng(0)
    assert low(rng.normal(size=100), rng.normal(size=100) + 3).p_value > 0.5


def test_the_threshold_is_a_cut():
    # Below 0.3 are twice as many, but hardly any below the lowest of the reference.
    reference, traffic = np.linspace(0, 1, 100), np.append(np.linspace(0, 1, 60), [0.25] * 40)
    found = low(reference, traffic, threshold=0.3)
    assert found.at_threshold
    assert found.reference_share == pytest.approx(0.3)
    assert found.traffic_share > 0.55


def _points(rng, classes, move=0.0):
    found = rng.normal(size=(len(classes), 20)) + 5 * np.eye(20)[classes]
    found[:, -1] += move
    return found, classes.astype(str)


def _shift(seed, n=40, m=80, move=0.0, of=(1 / 3, 1 / 3, 1 / 3)):
    rng = np.random.default_rng(seed)
    reference = _points(rng, rng.integers(0, 3, n))
    return shift(*reference, *_points(rng, rng.choice(3, m, p=of), move), DRAWS, seed)


def test_p_values_of_a_shift_are_uniform_without_one_whatever_the_class_mix():
    found = [_shift(seed, of=(0.8, 0.15, 0.05)).p_value for seed in range(200)]
    assert np.mean(np.array(found) <= 0.1) < 0.1 + 3 * np.sqrt(0.1 / 200)
    assert np.mean(np.array(found) <= 0.5) > 0.35


def test_a_shift_of_all_classes_is_found_with_its_size():
    sizes = [_shift(seed, 100, 200, move=2.0) for seed in range(5)]
    assert max(one.p_value for one in sizes) <= 0.01
    # Measured by the variance of both samples together, 1 + 2² · 2/9, and the ridge, about 1.
    expected = 2 / np.sqrt(1 + 8 / 9 + 1)
    assert np.mean([one.effect for one in sizes]) == pytest.approx(expected, rel=0.15)


def test_a_tiny_shift_stays_tiny_with_many_images():
    found = _shift(0, 300, 10_000, move=0.1)
    assert found.effect < 0.2
    assert found.images[1] == 1000


def test_no_class_of_both_samples_gives_no_shift():
    rng = np.random.default_rng(0)
    one, other = _points(rng, np.zeros(9, int)), _points(rng, np.ones(9, int))
    assert shift(*one, *other, DRAWS) is None
    assert shift(*one, np.zeros((0, 20)), np.zeros(0, str), DRAWS) is None


def test_another_mix_is_found_and_its_distance():
    found = mix(np.repeat(["a", "b"], 50), np.repeat(["a", "b", "c"], [20, 60, 20]), DRAWS)
    assert found.p_value <= 0.01
    assert found.effect == pytest.approx(0.3)
    assert mix(np.repeat(["a", "b"], 50), np.repeat(["a", "b"], [102, 98]), DRAWS).p_value > 0.5
