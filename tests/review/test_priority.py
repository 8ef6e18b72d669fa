from __future__ import annotations

import numpy as np

from review import priority
from review.priority import by_priority

RNG = np.random.default_rng(0)


def cluster(direction, count, spread=0.05):
    return np.eye(8)[direction] + RNG.normal(0, spread, (count, 8))


def test_one_image_of_each_cluster_comes_first_and_outliers_after_them():
    z = np.concatenate([cluster(0, 20), cluster(1, 20), cluster(2, 20), cluster(7, 1)])
    chosen = by_priority(z, np.ones(61), None, 4)
    assert sorted(i // 20 for i in chosen[:3]) == [0, 1, 2]
    assert chosen[3] == 60


def test_clusters_with_a_known_image_come_last():
    z = np.concatenate([cluster(0, 20), cluster(1, 10)])
    assert by_priority(z, np.ones(30), cluster(0, 1), 1)[0] >= 20


def test_uncertainty_decides_between_equals():
    z = np.concatenate([cluster(0, 10), cluster(1, 10)])
    unsure = np.repeat([0.1, 0.9], 10)
    assert by_priority(z, unsure, None, 1)[0] >= 10


def test_each_image_comes_once_and_fewer_are_the_head_of_more():
    z, unsure = RNG.normal(size=(30, 4)), RNG.random(30)
    all_ = by_priority(z, unsure, None, 99)
    assert sorted(all_) == list(range(30))
    assert by_priority(z, unsure, None, 7) == all_[:7]


def test_only_the_most_unsure_are_considered(monkeypatch):
    monkeypatch.setattr(priority, "CANDIDATES", 5)
    unsure = RNG.random(30)
    found = by_priority(RNG.normal(size=(30, 4)), unsure, None, 30)
    assert sorted(found) == sorted(np.argsort(-unsure)[:5].tolist())
