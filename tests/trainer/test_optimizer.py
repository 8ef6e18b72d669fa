import pytest

from trainer.optimizer import build_optimizer
from trainer.settings import Training


def rate(optimizer, step):
    optimizer.iterations.assign(step)
    return float(optimizer.learning_rate)


def test_warm_up_then_cosine():
    optimizer = build_optimizer(Training(learning_rate=1.0, warmup=0.1), steps=100)
    assert rate(optimizer, 0) == 0
    assert rate(optimizer, 5) == pytest.approx(0.5)
    assert rate(optimizer, 10) == pytest.approx(1.0)
    assert rate(optimizer, 55) == pytest.approx(0.5, abs=0.01)
    assert rate(optimizer, 100) == pytest.approx(0, abs=1e-6)


def test_the_2019_articles_decay():
    optimizer = build_optimizer(
        Training(learning_rate=0.001, schedule="inverse_time", decay=0.01, weight_decay=0), 10
    )
    for step in (0, 1, 90, 2700):
        assert rate(optimizer, step) == pytest.approx(0.001 / (1 + 0.01 * step))
    assert optimizer.nesterov
    assert optimizer.momentum == 0.9


def test_adamw_decays_weights():
    optimizer = build_optimizer(Training(optimizer="adamw", weight_decay=0.01), 10)
    assert optimizer.weight_decay == 0.01
