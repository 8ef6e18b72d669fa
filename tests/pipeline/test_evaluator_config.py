import pytest

from judging.settings import Thresholds


@pytest.fixture
def config():
    from pipeline.evaluator_config import eval_config

    return eval_config(
        Thresholds(auc=0.9, recall={"at_least": 0.5, "bound": "lower"}, class_accuracy=0.8)
    )


def metric(config, name):
    [found] = [
        m for specs in config.metrics_specs for m in specs.metrics if f'"{name}"' in m.config
    ]
    return found


def test_thresholds_hold_for_the_overall_slice_alone(config):
    for found in (m for specs in config.metrics_specs for m in specs.metrics):
        assert not found.HasField("threshold")
        for per_slice in found.per_slice_thresholds:
            [slicing] = per_slice.slicing_specs
            assert not slicing.feature_keys


def test_each_metric_has_its_own(config):
    [auc] = metric(config, "auc").per_slice_thresholds
    assert auc.threshold.value_threshold.lower_bound.value == 0.9
    [recall] = metric(config, "recall").per_slice_thresholds
    assert recall.threshold.value_threshold.lower_bound.value == 0.5
    assert not metric(config, "precision").per_slice_thresholds


def test_pairs_are_sliced_by_class(config):
    assert [list(s.feature_keys) for s in config.slicing_specs] == [[], ["label"]]


def test_verdicts_are_the_models_own(config):
    similarities, verdicts = config.metrics_specs
    assert list(similarities.output_names) == ["similarity"]
    assert list(verdicts.output_names) == ["same"]
    assert "AUC" in [m.class_name for m in similarities.metrics]
    assert {"BinaryAccuracy", "Precision", "Recall"} == {m.class_name for m in verdicts.metrics}
