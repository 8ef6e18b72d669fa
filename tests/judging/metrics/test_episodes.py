import numpy as np
import pytest

from judging.classifier import nearest_centroid
from judging.metrics.episodes import accuracy, draw_episodes, hits
from judging.statistics.intervals import clopper_pearson, effective_number


def clouds(sizes, apart=1.0, seed=0, centres=None):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    centres = rng.normal(scale=apart, size=(len(sizes), 6)) if centres is None else centres
    return centres[labels] + rng.normal(size=(len(labels), 6)), labels


def test_an_episode_is_ways_by_shots_of_different_images():
    _, labels = clouds((9, 4, 30, 5))
    episodes = draw_episodes(labels, ways=3, shots=2, queries=4, count=200, seed=0)
    assert episodes.support.shape == (200, 3, 2)
    assert episodes.query.shape == (200, 3, 4)
    for support, query in zip(episodes.support, episodes.query, strict=True):
        classes = labels[support]
        assert (classes == classes[:, :1]).all()
        assert len(set(classes[:, 0])) == 3
        for row, own, label in zip(query, support, classes[:, 0], strict=True):
            there = row[row >= 0]
            assert (labels[there] == label).all()
            assert len({*there, *own}) == len(there) + 2
            assert len(there) == min(4, np.sum(labels == label) - 2)


def test_every_image_takes_both_parts():
    _, labels = clouds((4, 4, 4))
    episodes = draw_episodes(labels, 2, 1, 2, 300, 0)
    assert set(episodes.support.ravel()) == set(range(12)) == set(episodes.query.ravel())


def test_as_one_episode_after_the_other():
    embeddings, labels = clouds((9, 4, 30, 5))
    episodes = draw_episodes(labels, 3, 2, 4, 100, 1)
    found = hits(embeddings, episodes)
    assert 0.3 < found.mean() < 0.95
    for support, query, right in zip(episodes.support, episodes.query, found, strict=True):
        for n, row in enumerate(query):
            for q, image in enumerate(row):
                if image < 0:
                    assert not right[n, q]
                    continue
                guess = nearest_centroid(
                    embeddings[support.ravel()],
                    np.repeat(labels[support[:, 0]], 2),
                    embeddings[image][None],
                )
                assert right[n, q] == (guess[0] == labels[image])


@pytest.mark.parametrize("sizes", [(5,), (1, 1, 9), (2, 2)])
def test_too_few_images_make_none(sizes):
    _, labels = clouds(sizes)
    assert draw_episodes(labels, 5, 2, 5, 10, 0) is None


def test_seeds_decide():
    _, labels = clouds((5, 5, 5))
    one, again, other = (draw_episodes(labels, 2, 1, 2, 20, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.query, again.query)
    assert (one.query != other.query).any()


@pytest.mark.parametrize(("sizes", "shots"), [((12,) * 5, 1), ((6,) * 8, 3)])
def test_accuracy_is_covered_though_images_are_in_many_episodes(sizes, shots):
    rng = np.random.default_rng(0)
    centres = rng.normal(scale=0.8, size=(len(sizes), 6))

    def judged(seed, count=300):
        embeddings, labels = clouds(sizes, seed=seed + 1, centres=centres)
        episodes = draw_episodes(labels, 5, shots, 5, count, seed)
        return accuracy(
            [hits(embeddings, episodes)], episodes, labels, np.arange(len(labels))
        ), len(labels)

    truth = np.mean([judged(10_000 + seed)[0].values[0] for seed in range(400)])
    covered, draws = 0, 400
    for seed in range(draws):
        (found, covariance), images = judged(seed)
        number = effective_number(found[0], covariance[0, 0], images, images / 2)
        interval = clopper_pearson(found[0], number)
        covered += interval.low <= truth <= interval.high
    assert 0.93 <= covered / draws <= 0.97


def test_equal_models_vary_alike():
    embeddings, labels = clouds((8, 8, 8))
    episodes = draw_episodes(labels, 3, 1, 4, 100, 0)
    found = hits(embeddings, episodes)
    both = accuracy([found, found], episodes, labels, np.arange(len(labels)))
    assert both.values[0] == both.values[1]
    np.testing.assert_allclose(both.covariance, both.covariance[0, 0])
