import json

import pytest

from trainer.training.distribution import worker_count, worker_index

CLUSTER = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}


@pytest.mark.parametrize(
    ("config", "count", "index"),
    [
        (None, 1, 0),
        ("", 1, 0),
        ({"cluster": CLUSTER, "task": {"type": "chief", "index": 0}}, 3, 0),
        ({"cluster": CLUSTER, "task": {"type": "worker", "index": 1}}, 3, 2),
        ({"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}, 2, 0),
        ({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}, 1, 0),
    ],
)
def test_tf_config_names_the_machines(monkeypatch, config, count, index):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", json.dumps(config) if config else "")
    assert (worker_count(), worker_index()) == (count, index)
