"""A share of the calls is answered by the label `canary`."""

import random

import grpc
import pytest
from fake_serving import Service, serving

from serving.connection import Connection
from serving.recorder.canary import CanaryShare
from serving.recorder.counts import Counts
from serving.wire import serving_pb2 as wire
from tests.serving.recorder.recorders import answers, asking, recording, request


def _share(share):
    return CanaryShare(share, Counts(), random.Random(0))


def test_the_labels_have_their_shares():
    canary = _share(0.1)
    labels = [canary.label("parts") for _ in range(2000)]
    assert set(labels) == {"stable", "canary"}
    assert 150 < labels.count("canary") < 250


def test_only_the_label_is_added():
    asked = request(b"one")
    labelled, model, label = _share(1.0).labelled(asked.SerializeToString())
    assert (model, label) == ("parts", "canary")
    asked.model_spec.version_label = "canary"
    assert wire.PredictRequest.FromString(labelled) == asked


@pytest.mark.parametrize("spec", [{"version": {"value": 3}}, {"version_label": "mine"}])
def test_a_call_that_names_a_version_stays(spec):
    asked = request(b"one", **spec).SerializeToString()
    assert _share(1.0).labelled(asked) == (asked, "", "")


def test_without_a_share_nothing_is_read():
    assert _share(0.0).labelled(b"no message \xff") == (b"no message \xff", "", "")


@pytest.mark.parametrize(
    "refused",
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "Unrecognized servable version label: canary"),
        (grpc.StatusCode.NOT_FOUND, "Servable not found for request: Specific(parts, 9)"),
    ],
)
def test_a_label_that_no_version_has_costs_no_call(tmp_path, refused):
    service = Service()
    service.failures = [refused]
    with asking(service, tmp_path, canary_share=1.0) as connection:
        for _ in range(2):
            connection.predict("classify", {"image": [b"one"]})
    assert len(answers(tmp_path)) == 2
    labels = [each.model_spec.version_label for each in service.requests]
    assert labels == ["canary", "", ""]  # it is remembered for a while


def test_other_failures_of_the_canary_are_passed_on(tmp_path):
    service = Service()
    service.failures = [(grpc.StatusCode.INTERNAL, "broken")]
    with (
        serving(service) as address,
        recording(address, tmp_path, canary_share=1.0) as where,
        Connection(f"localhost:{where.grpc}", "parts") as connection,
        pytest.raises(Exception, match="broken"),
    ):
        connection.predict("classify", {"image": [b"one"]})
