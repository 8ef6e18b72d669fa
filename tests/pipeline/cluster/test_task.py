"""How the entry point completes the backend's message. Imports TFX."""

import json

import pytest
from sample_images import write_classes

from base.errors import DataError
from components.image_example_gen.component import ImageExampleGen
from components.image_example_gen.executor import read_settings, span_root
from pipeline.cluster import parameters
from pipeline.cluster.task import prepare
from pipeline.config.errors import ConfigError
from trainer.settings import Training

EXECUTOR = "components.image_example_gen.executor.Executor"
EXAMPLES = {"instanceSchema": "title: tfx.Examples\n"}


def ingest(compiled_root, data_root, span=parameters.NEWEST):
    """The input of ImageExampleGen's executor, compiled for one root and run on another."""
    compiled = ImageExampleGen(root=compiled_root, seed=3).exec_properties
    values = {name: value for name, value in compiled.items() if value is not None}
    message = {
        "inputs": {"parameterValues": {**values, "data_root": data_root, "span": span}},
        "outputs": {"artifacts": {"examples": {"artifacts": [{"uri": "/out", "type": EXAMPLES}]}}},
    }
    prepared = prepare(EXECUTOR, message, {})
    [examples] = prepared["outputs"]["artifacts"]["examples"]["artifacts"]
    return prepared["inputs"]["parameterValues"], examples["metadata"]


@pytest.fixture
def spans(tmp_path):
    for span in (1, 2, 10):
        write_classes(tmp_path / f"span-{span}", classes=2, each=2)
    return tmp_path


def test_input_artifacts_get_their_types():
    """Open-source Kubeflow sends none, or an empty schema, and TFX asks for one."""
    message = {
        "inputs": {
            "artifacts": {
                "none": {"artifacts": [{"uri": "/a"}]},
                "empty": {"artifacts": [{"uri": "/b", "type": {"instanceSchema": ""}}]},
                "known": {"artifacts": [{"uri": "/c", "type": {"schemaTitle": "mine"}}]},
            }
        }
    }
    declared = {"artifacts": {name: {"artifactType": EXAMPLES} for name in ("none", "empty")}}
    declared["artifacts"]["known"] = {"artifactType": EXAMPLES}
    artifacts = prepare("any.Executor", message, declared)["inputs"]["artifacts"]
    assert artifacts["none"]["artifacts"][0]["type"] == EXAMPLES
    assert artifacts["empty"]["artifacts"][0]["type"] == EXAMPLES
    assert artifacts["known"]["artifacts"][0]["type"] == {"schemaTitle": "mine"}


def test_images_come_from_the_runs_data_root(tmp_path):
    write_classes(tmp_path / "images", classes=2, each=2)
    properties, metadata = ingest("/elsewhere", str(tmp_path / "images"))
    assert span_root(properties) == str(tmp_path / "images")
    settings = read_settings(properties)
    assert (settings.root, settings.seed) == (str(tmp_path / "images"), 3)
    assert metadata["span"] == 0
    assert len(metadata["input_fingerprint"]) == 64
    assert not {"data_root", "span_parameter"} & set(properties)


@pytest.mark.parametrize(("span", "number"), [(parameters.NEWEST, 10), ("2", 2)])
def test_a_span_is_newest_or_named(spans, span, number):
    properties, metadata = ingest("gs://b/span-{SPAN}", str(spans / "span-{SPAN}"), span)
    assert span_root(properties) == str(spans / f"span-{number}")
    assert metadata["span"] == number


def test_a_missing_span_is_refused(spans):
    with pytest.raises(DataError, match="span-1"):
        ingest("/x", str(spans / "span-{SPAN}"), "7")


def test_a_span_without_a_place_in_the_data_root_is_refused(spans):
    with pytest.raises(ConfigError, match=f"span=2: the data root {spans} has no {{SPAN}}"):
        ingest("/x", str(spans), "2")


def test_an_invalid_span_is_refused(spans):
    with pytest.raises(ConfigError, match="span: 'last' is neither a number nor 'newest'"):
        ingest("/x", str(spans / "span-{SPAN}"), "last")


def test_epochs_reach_the_trainer():
    training = Training(epochs=9, frozen_epochs=2)
    properties = {"custom_config": json.dumps({"training": training.model_dump_json(), "a": 1})}
    custom = json.loads(parameters.apply({"epochs": 3.0}, properties)["custom_config"])
    assert Training.model_validate_json(custom["training"]) == training.model_copy(
        update={"epochs": 3}
    )
    assert custom["a"] == 1
    with pytest.raises(ConfigError, match=r"epochs: .*frozen_epochs 2 is more than epochs 1"):
        parameters.apply({"epochs": 1}, properties)


@pytest.mark.parametrize(
    "compiled", [{"push_destination": "{}"}, {"push_destination": "{}", "custom_config": "null"},
                 {"custom_config": "null"}]
)  # fmt: skip
def test_the_destination_reaches_the_pusher(compiled):
    from tfx.proto import pusher_pb2
    from tfx.utils import proto_utils

    destination = pusher_pb2.PushDestination()
    applied = parameters.apply({"push_destination": "gs://b/serving"}, compiled)
    proto_utils.json_to_proto(applied["push_destination"], destination)
    assert destination.filesystem.base_directory == "gs://b/serving"


@pytest.mark.parametrize(("served", "expected"), [("/models", "gs://b/serving"), ("", "")])
def test_the_destination_reaches_those_that_look_for_enrolled_classes(served, expected):
    destination = {"push_destination": "gs://b/serving"}
    assert parameters.apply(destination, {"served": served}) == {"served": expected}
    trainer = {"custom_config": json.dumps({"served": served})}
    assert json.loads(parameters.apply(destination, trainer)["custom_config"]) == {
        "served": expected
    }
