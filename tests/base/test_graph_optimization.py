import pytest
import tensorflow as tf

from base.graph_optimization import graphs_not_optimized


def options():
    return tf.config.optimizer.get_experimental_options()


@pytest.mark.parametrize("before", [False, True])
def test_what_was_set_before_comes_back(before):
    given = options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": before})
    try:
        with graphs_not_optimized():
            assert options()["disable_meta_optimizer"] is True
        assert options()["disable_meta_optimizer"] is before
    finally:
        tf.config.optimizer.set_experimental_options(given)
