"""Explanations of a server's answers, and by occlusion where a model has none."""

import asyncio
import io

import grpc
import numpy as np
import pytest
from PIL import Image
from sample_images import encoded, picture

from serving.async_client import AsyncSiameseClient
from serving.client import SiameseClient
from serving.serving_error import ServingError
from serving.wire.tensors import to_array

PNG, OTHER = encoded(picture(0, 0)), encoded(picture(1, 1))
MAP = np.arange(6, dtype="f").reshape(2, 3)


def answer(**other):
    return {
        "map": MAP[None],
        "other_map": -MAP[None],
        "score": np.array([2.5], "f"),
        "label": np.array([b"nut"], object),
        "picture_bytes": np.array([PNG], object),
        "other_picture_bytes": np.array([b""], object),
        "valid": np.array([True]),
        "reason": np.array([b""], object),
        **other,
    }


@pytest.fixture(params=["sync", "async"])
def explain(request, address):
    def ask(*arguments, **options):
        if request.param == "sync":
            with SiameseClient(address, "parts") as client:
                return client.explain(*arguments, **options)

        async def inside():
            async with AsyncSiameseClient(address, "parts") as client:
                return await client.explain(*arguments, **options)

        return asyncio.run(inside())

    return ask


def test_of_a_class(service, explain):
    service.replies = answer()
    found = explain(PNG, label="nut")
    np.testing.assert_array_equal(found.map, MAP)
    assert (found.score, found.label, found.picture, found.exact) == (2.5, "nut", PNG, True)
    assert found.other_map is None
    assert found.other_picture is None
    [request] = service.requests
    assert request.model_spec.signature_name == "explain"
    sent = {name: to_array(proto).tolist() for name, proto in request.inputs.items()}
    assert sent == {"image": [PNG], "other": [b""], "label": [b"nut"]}


def test_of_a_pair(service, explain):
    service.replies = answer(
        label=np.array([b""], object), other_picture_bytes=np.array([OTHER], object)
    )
    found = explain(PNG, OTHER)
    np.testing.assert_array_equal(found.other_map, -MAP)
    assert found.other_picture == OTHER
    assert to_array(service.requests[0].inputs["other"]).tolist() == [OTHER]


def test_another_image_and_a_class_contradict_each_other(explain):
    with pytest.raises(ValueError, match="not both"):
        explain(PNG, OTHER, label="nut")


@pytest.mark.parametrize(
    ("reason", "message"),
    [(b"no_such_class", "there is no such class"), (b"too_many_pixels", "too_many_pixels")],
)
def test_what_cannot_be_explained(service, explain, reason, message):
    service.replies = answer(valid=np.array([False]), reason=np.array([reason], object))
    with pytest.raises(ServingError, match=message):
        explain(PNG)
    assert len(service.requests) == 1


def brightness(images):
    return np.array([np.asarray(Image.open(io.BytesIO(each))).mean() / 255 for each in images])


def occluding(service):
    """The service of a model without the signature, whose scores are the brightness."""
    missing = grpc.StatusCode.FAILED_PRECONDITION, 'Serving signature key "explain" not found.'
    service.failures = [missing]

    def by_brightness(request):
        image = "left" if "left" in request.inputs else "image"
        bright = brightness(to_array(request.inputs[image])).astype("f")
        count = len(bright)
        return {
            "similarity": bright,
            "same": bright > 0.5,
            "valid": np.full(count, True),
            "classes": np.array([[b"light", b"dark"]] * count, object),
            "scores": np.stack([bright, -bright], 1),
            "label": np.array([b"light"] * count, object),
            "known": bright > 0.5,
            "nearest": np.array([[b"light/1.png"]] * count, object),
        }

    service.answer = by_brightness


def spot():
    pixels = np.zeros((64, 64, 3), "uint8")
    pixels[16:24, 40:48] = 255
    return encoded(Image.fromarray(pixels))


@pytest.mark.parametrize("label", ["", "dark"])
def test_by_occlusion(service, explain, label):
    occluding(service)
    found = explain(spot(), label=label)
    assert not found.exact
    assert found.map.shape == (8, 8)
    assert found.label == (label or "light")
    sign = -1 if label == "dark" else 1
    assert np.unravel_index((sign * found.map).argmax(), (8, 8)) == (2, 5)
    assert found.score == pytest.approx(sign * 64 / 64**2, abs=1e-5)
    assert len(service.requests) == 4  # one that fails, and three of up to 32 images


def test_a_pair_by_occlusion(service, explain):
    occluding(service)
    found = explain(spot(), OTHER)
    assert np.unravel_index(found.map.argmax(), (8, 8)) == (2, 5)
    assert found.label == ""
    assert found.other_map is None


def test_an_unknown_class_by_occlusion(service, explain):
    occluding(service)
    with pytest.raises(ServingError, match="no such class"):
        explain(spot(), label="red")
