import re

import pytest

from trainer.training.callbacks import progress


@pytest.mark.parametrize(("pairs", "speed"), [(72, "0.9"), (1_440_000, "18,000")])
def test_the_speed_of_any_network_can_be_read(pairs, speed, monkeypatch, capsys):
    clock = iter([0.0, 40.0, 80.0, 80.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    shown = progress.Progress(epochs=2, steps=2, pairs=pairs)
    shown.on_epoch_begin(0)
    for batch in range(2):
        shown.on_train_batch_end(batch, {"loss": 0.7})
    shown.on_epoch_end(0, {"loss": 0.7})
    assert re.findall(r", ([\d.,]+) pairs/s", capsys.readouterr().out) == [speed] * 3
