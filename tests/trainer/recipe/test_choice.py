import numpy as np

from trainer.recipe.choice import Choice, choose
from trainer.recipe.cross_validation import CrossValidated
from trainer.recipe.heads import Candidate


def made_up(accuracy, auc, views=1, kind="discriminant", images=100):
    right = np.zeros(images)
    right[: round(accuracy * images)] = 1
    rng = np.random.default_rng(0)
    same = rng.random(4000) < 0.5
    cosines = np.where(rng.random(4000) < 2 * auc - 1, same, rng.random(4000))
    return Choice(
        Candidate(kind), views, CrossValidated(accuracy, right, cosines, same, *[np.empty(0)] * 3)
    )


def test_pairs_decide_where_classes_hardly_differ():
    accurate, better_pairs = made_up(0.96, 0.8), made_up(0.95, 0.95)
    assert choose([accurate, better_pairs]) is better_pairs
    assert choose([accurate, made_up(0.85, 0.99)]) is accurate


def test_more_views_are_chosen_for_accuracy_alone():
    one = made_up(0.95, 0.8)
    assert choose([one, made_up(0.95, 0.95, views=2)]) is one
    more = made_up(0.97, 0.8, views=2)
    assert choose([one, more]) is more
