"""The Evaluator's model gives the similarities by which the Judge judges."""

import numpy as np
import pytest
import tensorflow as tf

from components.out_of_fold_model.lookup import OutOfFoldSimilarity
from records import features
from records.example import make_example
from records.out_of_fold import FoldModel, OutOfFold


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(8, 5)).astype("float32")
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    folds = np.arange(8) % 2
    models = tuple(FoldModel(np.arange(2), embeddings[:2], same, 0.0, 9.0, -3.0)
                   for same in (0.4, 0.8))  # fmt: skip
    names = np.array([b"%016x" % i for i in range(8)])
    return OutOfFold(names, np.repeat(["a", "b"], 4), names, np.arange(8), folds, embeddings,
                     np.zeros(8), models, 0.55, 0.0)  # fmt: skip


@pytest.fixture(scope="module")
def evaluate(found, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("model"))
    OutOfFoldSimilarity(found).save(folder)
    return tf.saved_model.load(folder).signatures["evaluate"]


def serialized(left, right):
    pair = make_example({features.IMAGE_ID: [b"%016x" % left, b"%016x" % right]}, {})
    return pair.SerializeToString()


def test_pairs_are_compared_by_the_model_of_their_fold(found, evaluate):
    pairs = [(0, 2), (2, 4), (1, 3), (5, 7), (3, 5)]
    answer = evaluate(examples=tf.constant([serialized(*pair) for pair in pairs]))
    for i, (left, right) in enumerate(pairs):
        sides = found.embeddings[[left]], found.embeddings[[right]]
        [expected] = found.similarities(int(found.folds[left]), *sides)
        assert answer["similarity"][i].numpy() == pytest.approx(expected, abs=1e-6)
        assert answer["same"][i].numpy() == (expected >= 0.55)


def test_an_image_that_is_in_no_fold_is_refused(evaluate):
    with pytest.raises(tf.errors.InvalidArgumentError):
        evaluate(examples=tf.constant([serialized(0, 99)]))
