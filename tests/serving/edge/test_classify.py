"""The example script of an export scores as the served model does."""

import numpy as np
import pytest
from judge_views import clouds, support_set

from judging.classifier import best_scores, nearest_centroid
from serving.edge import classify
from serving.edge.folder import Fitting, write_arrays


@pytest.mark.parametrize("scored_by", ["cosine", "margin"])
@pytest.mark.parametrize("classes", [1, 2, 4])
def test_the_script_scores_as_the_served_model(tmp_path, monkeypatch, classes, scored_by):
    support = support_set(classes)._replace(scored_by=scored_by)
    write_arrays(tmp_path, {}, Fitting((8, 8)), support, {"known": 0.5, "same": 0.5})
    points, _ = clouds(4, 5, 0.5, seed=1)
    model = classify.Model(tmp_path)
    monkeypatch.setattr(model, "embed", lambda place: points[place])
    found = [model.classify(place) for place in range(len(points))]
    expected = nearest_centroid(support.embeddings, support.labels, points)
    assert [label for label, _ in found] == expected.tolist()
    best = best_scores(support.embeddings, support.labels, points).by(scored_by)
    np.testing.assert_allclose([score for _, score in found], best, atol=1e-5)
