import numpy as np
import pytest

from pipeline.report.projection import PCA, TSNE, project


def clouds(each, dimensions=8):
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(dimensions)[:3], each, axis=0)
    return centres + rng.normal(scale=0.05, size=centres.shape)


def test_classes_stay_apart_in_both_layouts():
    layouts, kept = project(clouds(10))
    assert list(layouts) == [TSNE, PCA]
    assert kept > 0.8
    for flat in layouts.values():
        assert flat.shape == (30, 2)
        assert flat.min() == 0
        assert flat.max() == 1
        of_class = flat.reshape(3, 10, 2)
        within = np.linalg.norm(of_class - of_class.mean(1, keepdims=True), axis=2).max()
        centres = of_class.mean(1)
        between = min(np.linalg.norm(centres[a] - centres[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
        assert between > 2 * within


def test_the_same_embeddings_give_the_same_map():
    one, other = (project(clouds(5))[0][TSNE] for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "embeddings", [np.zeros((20, 4)), np.ones((2, 1)), np.eye(3), np.zeros((1, 5))]
)
def test_without_neighbours_or_extent_there_is_a_map_all_the_same(embeddings):
    layouts, _ = project(embeddings)
    assert list(layouts) == [PCA]
    assert layouts[PCA].shape == (len(embeddings), 2)
    assert np.isfinite(layouts[PCA]).all()
