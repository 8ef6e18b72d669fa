import pytest

from records import features


@pytest.fixture
def schema():
    from components.image_schema_gen.component import image_schema

    return image_schema(["dent", "scratch"])


def test_transform_reads_one_value_of_each_feature(schema):
    from tensorflow_transform.tf_metadata import schema_utils

    spec = schema_utils.schema_as_feature_spec(schema).feature_spec
    assert set(spec) == set(features.IMAGE_RECORD)
    assert all(feature.shape == [1] for feature in spec.values())


def anomalies(schema, labels, image_ids):
    import numpy as np
    import pandas as pd
    import tensorflow_data_validation as tfdv

    rows = len(labels)
    numbers = {"height": 8, "width": 8, "range_low": 0.0, "range_high": 0.0, "fold": -1}
    frame = pd.DataFrame(
        {
            name: np.full(rows, numbers[name]) if name in numbers else ["x"] * rows
            for name in features.IMAGE_RECORD
        }
    )
    frame[features.LABEL], frame[features.IMAGE_ID] = labels, image_ids
    statistics = tfdv.generate_statistics_from_dataframe(frame)
    return set(tfdv.validate_statistics(statistics, schema).anomaly_info)


def test_new_images_of_known_classes_are_no_anomaly(schema):
    assert anomalies(schema, ["dent", "scratch"], ["id 1", "id 2"]) == set()


def test_an_unknown_class_is(schema):
    assert anomalies(schema, ["dent", "rust"], ["id 1", "id 2"]) == {features.LABEL}
