import base64
import gzip
import hashlib
import json
import math

import numpy as np
import pytest

from serving.recorder.call import Call, RestCall
from serving.recorder.seen import Unreadable, seen_by_grpc
from serving.recorder.seen_by_rest import seen_by_rest
from tests.serving.recorder.recorders import call, outputs, request, response


def test_an_answer_for_each_image():
    first, second = seen_by_grpc(call(b"one", b"two", labels=[b"bent", b"\xff"]))
    answer, image = first
    assert image == b"one"
    assert (answer.model, answer.version, answer.label, answer.known) == ("parts", 7, "bent", True)
    assert (answer.score, answer.margin, answer.probability) == (0.75, 0.5, 0.875)
    assert answer.digest == hashlib.sha256(b"one").hexdigest()
    assert (answer.time, answer.request) == (1000.0, "c.0")
    assert (second.answer.label, second.answer.request) == ("\\xff", "c.1")


def test_an_image_that_is_not_valid_has_no_class():
    answered = outputs(b"bent") | {
        "valid": np.array([False]),
        "reason": np.array([b"too_many_pixels"], object),
    }
    asked = request(b"one").SerializeToString()
    made = Call("c", 0.0, asked, response(**answered).SerializeToString())
    ((answer, _),) = seen_by_grpc(made)
    assert (answer.label, answer.known, answer.valid) == ("", False, False)
    assert answer.reason == "too_many_pixels"
    assert math.isnan(answer.score)


def test_outputs_that_the_client_did_not_ask_for_are_missing():
    answered = {"classes": outputs(b"bent")["classes"], "embedding": np.ones((1, 3), "f")}
    asked = request(b"one").SerializeToString()
    made = Call("c", 0.0, asked, response(**answered).SerializeToString())
    ((answer, _),) = seen_by_grpc(made)
    assert (answer.label, answer.embedding.tolist()) == ("bent", [1.0, 1.0, 1.0])
    assert math.isnan(answer.margin)


def test_other_signatures_say_nothing():
    asked = request(b"one", signature="embed").SerializeToString()
    assert seen_by_grpc(Call("c", 0.0, asked, b"")) == []


def test_an_answer_without_labels_is_unreadable():
    asked = request(b"one").SerializeToString()
    made = Call("c", 0.0, asked, response(known=np.array([True])).SerializeToString())
    with pytest.raises(Unreadable):
        seen_by_grpc(made)


def _b64(content):
    return {"b64": base64.b64encode(content).decode()}


ROW = {
    "classes": ["bent", {"b64": "/w=="}], "scores": [0.75, 0.25], "label": "bent",
    "known": False, "valid": True, "reason": "", "probabilities": [0.875, 0.125],
}  # fmt: skip
COLUMNS = {name: [value] for name, value in ROW.items()}


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ({"instances": [{"image": _b64(b"one")}]}, {"predictions": [ROW]}),
        ({"instances": [_b64(b"one")]}, {"predictions": [ROW]}),
        ({"inputs": {"image": [_b64(b"one")]}}, {"outputs": COLUMNS}),
        ({"inputs": [_b64(b"one")]}, {"outputs": COLUMNS}),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_json_in_each_form(asked, answered, packed):
    pack = gzip.compress if packed else bytes
    encoding = "gzip" if packed else ""
    made = Call(
        "c",
        5.0,
        pack(json.dumps({"signature_name": "classify", **asked}).encode()),
        pack(json.dumps(answered).encode()),
        RestCall("parts", request_encoding=encoding, response_encoding=encoding),
    )
    ((answer, image),) = seen_by_rest(made, lambda _: 9)
    assert image == b"one"
    assert (answer.model, answer.version, answer.label, answer.known) == ("parts", 9, "bent", False)
    assert (answer.margin, answer.probability, answer.valid) == (0.5, 0.875, True)


def test_pixels_in_json_are_not_an_image():
    asked = json.dumps({"signature_name": "classify", "instances": [[1, 2]]}).encode()
    with pytest.raises(Unreadable):
        seen_by_rest(Call("c", 0.0, asked, b'{"predictions": []}', RestCall("m")), lambda _: 1)
