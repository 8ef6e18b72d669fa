"""Which images and pairs people are shown."""

from collections import Counter

import numpy as np
from judge_views import judged

from judging.settings import JudgeSettings


def test_mistakes_suspects_and_hard_pairs(images_and_view):
    images, view = images_and_view
    labels = images.labels.copy()
    labels[3] = "c2"  # it is a c0, in the middle of its class
    embeddings = view.embeddings.copy()
    embeddings[3] = np.eye(12)[0]
    found = judged(images._replace(labels=labels), view._replace(embeddings=embeddings)).judgement
    [first, *_] = found.mistakes
    assert (first.image.id, first.image.label, first.predicted) == ("0003", "c2", "c0")
    assert first.image.source == images.sources[3]
    assert first.nearest.label == "c0"
    assert first.nearest.source.startswith("c0/s")
    sureness = [m.score - m.own_score for m in found.mistakes]
    assert sureness == sorted(sureness, reverse=True)
    assert "0003" in [s.image.id for s in found.suspects]
    for suspect in found.suspects:
        given = [n.label for n in suspect.neighbours]
        assert given.count(suspect.suggested) == suspect.agreeing >= 4
        assert suspect.image.label not in given
    gaps = [view.same - p.similarity if p.same else p.similarity - view.same
            for p in found.hard_pairs]  # fmt: skip
    assert gaps == sorted(gaps, reverse=True)
    assert len(gaps) == JudgeSettings().listed
    # The odd image is in far more pairs than that.
    listed = Counter(side.id for p in found.hard_pairs for side in (p.left, p.right))
    assert max(listed.values()) == 2
