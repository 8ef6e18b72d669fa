import pytest

from trainer.settings import Training
from trainer.training.optimizer import build_optimizer, peak_learning_rate


def rate(optimizer, step):
    optimizer.iterations.assign(step)
    return float(optimizer.learning_rate)


def test_warm_up_then_cosine():
    optimizer = build_optimizer(
        Training(learning_rate=1.0, warmup=0.1), steps=100, pretrained=False
    )
    assert rate(optimizer, 0) == 0
    assert rate(optimizer, 5) == pytest.approx(0.5)
    assert rate(optimizer, 10) == pytest.approx(1.0)
    assert rate(optimizer, 55) == pytest.approx(0.5, abs=0.01)
    assert rate(optimizer, 100) == pytest.approx(0, abs=1e-6)


def test_the_2019_articles_decay():
    optimizer = build_optimizer(
        Training(learning_rate=0.001, article={"inverse_time_decay": 0.01}, weight_decay=0),
        10,
        pretrained=True,
    )
    for step in (0, 1, 90, 2700):
        assert rate(optimizer, step) == pytest.approx(0.001 / (1 + 0.01 * step))
    assert optimizer.nesterov
    assert optimizer.momentum == 0.9


def test_adamw_decays_weights():
    optimizer = build_optimizer(
        Training(optimizer="adamw", weight_decay=0.01), 10, pretrained=False
    )
    assert optimizer.weight_decay == 0.01


def test_a_pretrained_backbone_has_a_lower_default_learning_rate():
    assert peak_learning_rate(Training(), pretrained=False) == 0.05
    assert peak_learning_rate(Training(), pretrained=True) == 0.005
    assert peak_learning_rate(Training(optimizer="adamw"), pretrained=False) == 0.001
    assert peak_learning_rate(Training(learning_rate=0.3), pretrained=True) == 0.3


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_gradients_are_clipped_by_their_global_norm(optimizer):
    built = build_optimizer(Training(optimizer=optimizer, clip_norm=2.5), 10, pretrained=False)
    assert built.global_clipnorm == 2.5
