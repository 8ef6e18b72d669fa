import numpy as np
from traffic_samples import answers

from monitoring.sample import sample


def test_the_same_file_counts_once_with_its_last_answer():
    recorded = answers(3, digest="a" * 64)
    assert sample(recorded).scores.tolist() == [recorded[-1].score]
    assert len(sample(answers(3, digest="")).scores) == 3


def test_invalid_images_are_left_out():
    assert not len(sample(answers(2, valid=False, score=float("nan"))).scores)


def test_some_images_have_an_embedding():
    first, second, third = answers(3)
    found = sample([first, second._replace(embedding=None), third])
    assert found.embedded.tolist() == [True, False, True]
    np.testing.assert_array_equal(found.embeddings, [first.embedding, third.embedding])
    rest = found.only(np.array([False, True, True]))
    np.testing.assert_array_equal(rest.embeddings, [third.embedding])
    assert sample([]).embeddings.shape == (0, 0)


def test_an_embedding_of_another_size_is_none():
    first, *others = answers(4)
    found = sample([first._replace(embedding=np.zeros(2, "float32")), *others])
    assert found.embedded.tolist() == [False, True, True, True]
