import io

import numpy as np
import pytest
from asgi import call
from PIL import Image
from sample_images import encoded, picture

from serving.explanation import Explanation, unusable


@pytest.fixture
def asked(place, monkeypatch):
    """What the model is asked to explain; it says that the upper left decides."""
    questions = []

    def explain(image, other=None, label=""):
        questions.append((image, other, label))
        if label == "no such class":
            raise unusable("no_such_class")
        return Explanation(np.eye(2, dtype="f") * [1, 0], 0.5, label, image)

    monkeypatch.setattr(place.served.client(), "explain", explain)
    return questions


@pytest.fixture
def ids(app):
    images = [encoded(picture(0, n)) for n in range(2)]
    return [call(app, "/api/uploads?name=x.png", image).json["id"] for image in images]


def test_where_an_image_looks_like_its_class(app, asked, ids):
    answer = call(app, f"/pictures/explained?id={ids[0]}&label=a%20b")
    assert asked == [(encoded(picture(0, 0)), None, "a b")]
    pixels = np.asarray(Image.open(io.BytesIO(answer.body)), int)
    red, _, blue = (
        pixels[10:80, 10:80].mean((0, 1)) - pixels[-80:-10, 10:80].mean((0, 1))
    ).tolist()
    assert red - blue > 50  # orange where it decides


def test_where_two_images_look_alike(app, asked, ids):
    assert call(app, f"/pictures/explained-pair?id={ids[1]}&other={ids[0]}").status == 200
    assert asked == [(encoded(picture(0, 1)), encoded(picture(0, 0)), "")]


def test_no_explanation(app, asked, ids):
    answer = call(app, f"/pictures/explained?id={ids[0]}&label=no%20such%20class")
    assert answer.status == 503
    assert "there is no such class" in answer.json["error"]
