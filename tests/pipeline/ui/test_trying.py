import io
import re
from importlib import resources

import grpc
import pytest
from asgi import call
from PIL import Image
from sample_images import encoded, picture

from pipeline.ui import trying
from pipeline.ui.app import PAGES
from pipeline.ui.support import Listing


def upload(app, data=None, name="x.png"):
    answer = call(app, f"/api/uploads?name={name}", data or encoded(picture(0, 0)))
    assert answer.status == 200, answer.text
    return answer.json


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_there(app, path):
    answer = call(app, f"/{path}")
    assert answer.status == 200
    assert "<h1>" in answer.text
    for file in re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text):
        assert call(app, file).status == 200, file


def test_pages_hold_no_inline_script_and_scripts_write_no_html():
    for folder in ("templates", "static"):
        for file in (resources.files("pipeline.ui") / folder).iterdir():
            text = file.read_text("utf-8")
            assert not re.search(r"<script(?![^>]* src=)|\son\w+=\"|style=\"|\|\s*safe", text), file
            assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write", text), file
            assert "http://" not in text.replace("http://www.w3.org", ""), file
            assert "https://" not in text, file


def test_the_models_answer(app, service):
    sent = upload(app)
    assert (sent["width"], sent["height"], sent["name"]) == (32, 32, "x.png")
    said = call(app, f"/api/classify?id={sent['id']}").json
    assert (said["label"], said["known"], said["version"]) == ("a", True, 7)
    assert [one["name"] for one in said["classes"]] == ["a", "\\xffb"]
    assert said["margin"] == 1.25
    assert said["nearest"] == ["a/1.png", "\\xff.png"]
    assert len(service.requests) == 1


def test_the_models_comparison(app):
    left, right = upload(app), upload(app, encoded(picture(0, 1)))
    found = call(app, f"/api/compare?left={left['id']}&right={right['id']}").json
    assert found == {"similarity": 0.25, "same": False, "version": 7}


def test_the_thresholds_are_those_of_the_version_that_answered(app, place, monkeypatch):
    base = place.settings.root / "serving"
    for number in (7, 8):
        (base / str(number)).mkdir(parents=True)
        (base / str(number) / "saved_model.pb").touch()
    read = []

    def listing(version):
        read.append(version.name)
        return Listing(7, {}, {}, {"same": 0.7})

    monkeypatch.setattr(place.support, "_read", listing)
    assert call(app, "/api/thresholds?version=7").json == {"same": 0.7}
    assert read == ["7"]
    assert call(app, "/api/thresholds?version=9").json == {}
    assert call(app, "/api/thresholds?version=x").json == {}


def test_pictures(app):
    large = upload(app, encoded(picture(0, 0, 700), "WEBP"))
    answer = call(app, f"/pictures/uploads/{large['id']}?side=150")
    assert answer.headers["content-type"] == "image/jpeg"
    assert "immutable" in answer.headers["cache-control"]
    assert max(Image.open(io.BytesIO(answer.body)).size) == 160
    nearest = call(app, "/pictures/support?name=a/1.png&side=9999")
    assert Image.open(io.BytesIO(nearest.body)).tobytes() == picture(0, 1).tobytes()


@pytest.mark.parametrize(
    "name", ["../my.yaml", "a/../../my.yaml", "/etc/passwd", "a/9.png", "a", "", "%00"]
)
def test_no_other_file_is_shown_as_a_support_image(app, name):
    assert call(app, f"/pictures/support?name={name}").status in (400, 422)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"hello", "is no image"),
        (encoded(picture(0, 0))[:20], "cut off or damaged"),
    ],
)
def test_a_file_that_is_no_image(app, data, reason):
    answer = call(app, "/api/uploads?name=../a%3Cb%3E.png", data)
    assert answer.status == 422
    assert answer.json["error"].startswith("a<b>.png ")
    assert reason in answer.json["error"]


def test_an_image_that_is_cut_off_later(app):
    sent = upload(app, encoded(picture(0, 0, 300))[:-400])
    answer = call(app, f"/api/classify?id={sent['id']}")
    assert answer.status == 422
    assert answer.json["error"].startswith("x.png is cut off or damaged")


def test_a_file_that_is_too_large(app, monkeypatch):
    monkeypatch.setattr(trying, "MOST_BYTES", 1000)
    for sent in ({"body": bytes(1001)}, {"chunks": [bytes(600), bytes(600)]}):
        answer = call(app, "/api/uploads?name=a.tif", **sent)
        assert answer.status == 413
        assert "a.tif has more than 0 MB" in answer.json["error"]


def test_a_browser_that_goes_away(app, place):
    assert call(app, "/api/uploads", chunks=[b"half", None]).status == 400
    assert not [*(place.folder / "uploads").iterdir()]


def test_the_server_is_gone(app, service):
    sent = upload(app)
    service.failures = [(grpc.StatusCode.UNAVAILABLE, "restarting")] * 9
    answer = call(app, f"/api/classify?id={sent['id']}")
    assert answer.status == 503
    assert call(app, f"/api/classify?id={sent['id']}").status in (200, 503)


def test_whether_the_model_answers(app, service):
    assert call(app, "/api/status").json == {"state": "ready", "message": ""}


def test_an_image_is_put_into_the_queue_once(app, place):
    sent = upload(app)
    for _ in range(2):
        assert call(app, "/api/keep", {"id": sent["id"]}).status == 200
    with place.store() as store:
        [image] = store.images()
    assert (image.digest, image.kept.value, image.source) == (sent["id"], "added", "x.png")


def test_what_is_no_request_of_ours(app):
    assert call(app, "/api/keep", b"[]").status == 400
    assert call(app, "/api/keep", b"{").status == 400
    assert call(app, "/api/keep", {"id": 3}).status == 400
    assert call(app, "/api/keep", bytes(2 * 2**20)).status == 413
    assert call(app, "/api/classify?id=../x").status == 422
