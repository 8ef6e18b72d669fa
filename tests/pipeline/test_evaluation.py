import pytest

from pipeline.config import Thresholds


@pytest.fixture
def config():
    from pipeline.evaluation import eval_config

    return eval_config(Thresholds(auc=0.9, recall=0.5, max_auc_drop=0.02))


def metric(config, name):
    [found] = [m for m in config.metrics_specs[0].metrics if f'"{name}"' in m.config]
    return found


def test_thresholds_hold_for_the_overall_slice_alone(config):
    for found in config.metrics_specs[0].metrics:
        assert not found.HasField("threshold")
        for per_slice in found.per_slice_thresholds:
            [slicing] = per_slice.slicing_specs
            assert not slicing.feature_keys


def test_each_metric_has_its_own(config):
    [auc] = metric(config, "auc").per_slice_thresholds
    assert auc.threshold.value_threshold.lower_bound.value == 0.9
    assert auc.threshold.change_threshold.absolute.value == -0.02
    [recall] = metric(config, "recall").per_slice_thresholds
    assert recall.threshold.value_threshold.lower_bound.value == 0.5
    assert not recall.threshold.HasField("change_threshold")
    assert not metric(config, "precision").per_slice_thresholds


def test_pairs_are_sliced_by_class(config):
    assert [list(s.feature_keys) for s in config.slicing_specs] == [[], ["label"]]
