import contextlib
import sqlite3

import pytest
from asgi import call
from sample_images import encoded, picture

from pipeline.review.suspects import AddedSuspects
from pipeline.ui import reviewing
from storage.lineage import FILE, Lineage, write_lineage
from traffic.rows import Answer, Decision, Kept


@pytest.fixture
def digests(place):
    with place.store() as store:
        found = [store.add_image(encoded(picture(0, n)), Kept.UNKNOWN, 100 + n) for n in range(3)]
        answer = Answer(100, "mine", 7, "b", False, probability=0.25, digest=found[0])
        store.add_answers([answer])
    return found


def say(app, digest, decision="label", **values):
    return call(app, "/api/review", {"digest": digest, "decision": decision, **values})


def test_the_queue(app, digests):
    found = call(app, "/api/queue").json
    assert [item["digest"] for item in found["items"]] == digests
    assert (found["pending"], found["reviewed"], found["classes"]) == (3, 0, ["b"])
    first = found["items"][0]
    assert first["recorded"] == {"label": "b", "known": False, "probability": 0.25, "other": ""}
    assert first["kept"] == "unknown"


def test_the_classes_of_the_newest_model_are_known_at_once(app, place, digests):
    version = place.settings.root / "serving/3"
    version.mkdir(parents=True)
    (version / "saved_model.pb").touch()
    assert call(app, "/api/queue").json["classes"] == ["b"]
    write_lineage(version, Lineage(made_by="run", classes={"6": 5, "b": 5}))
    assert call(app, "/api/queue").json["classes"] == ["6", "b"]
    (version / FILE).write_text("damaged")
    assert call(app, "/api/queue").json["classes"] == ["b"]


def test_an_image_and_what_the_model_says_of_it(app, digests):
    assert call(app, f"/pictures/kept/{digests[0]}").headers["content-type"] == "image/png"
    said = call(app, f"/api/review/{digests[0]}").json
    assert (said["label"], said["names"]) == ("a", ["\\xffb", "a"])


def test_decisions_are_kept_and_undone(app, place, digests):
    assert say(app, digests[0], label=" New class ", reviewer="Ada").status == 200
    assert say(app, digests[1], "none").status == 200
    assert say(app, digests[2], "skip").status == 200
    with place.store() as store:
        first, *others = store.reviews()
    assert (first.label, first.reviewer, first.decision) == ("New class", "Ada", Decision.LABEL)
    assert [one.decision for one in others] == [Decision.NONE, Decision.SKIP]
    found = call(app, "/api/queue").json
    assert (found["pending"], found["reviewed"], found["classes"]) == (0, 3, ["New class"])
    assert call(app, "/api/undo", {"digest": digests[0]}).status == 200
    assert call(app, "/api/queue").json["pending"] == 1


def test_two_people_review_the_same_image(app, place, digests):
    say(app, digests[0], label="a", reviewer="Ada")
    refused = say(app, digests[0], label="b", reviewer="Bob")
    assert refused.status == 409
    assert "by Ada as 'a'" in refused.json["error"]
    told = {"label": "a", "decision": "label", "reviewer": "Ada", "trained_on": False}
    assert refused.json["review"] == told
    assert say(app, digests[0], label="b", reviewer="Bob", replace=True).status == 200
    with place.store() as store:
        assert store.review_of(digests[0]).label == "b"
        store.set_span({digests[0]: store.review_of(digests[0]).label}, 2)
    late = say(app, digests[0], label="a")
    assert (late.status, late.json["review"]["trained_on"]) == (409, True)
    assert call(app, "/api/undo", {"digest": digests[0]}).status == 409
    assert say(app, digests[0], label="a", replace=True).status == 200  # for the next span


@pytest.mark.parametrize(
    "label", ["../x", "a/b", ".hidden", " ", "x" * 201, "a\\b", "a\u202eb", ""]
)
def test_what_cannot_be_a_class(app, digests, label):
    assert say(app, digests[0], label=label).status in (400, 422)
    assert call(app, "/api/queue").json["pending"] == 3


def test_a_class_name_with_html_stays_text(app, digests):
    assert say(app, digests[0], label="<b>&amp;").status == 200
    answer = call(app, "/api/queue")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["classes"] == ["<b>&amp;"]


@pytest.mark.parametrize("digest", ["0" * 64, "../../my.yaml", "x", "%2e%2e"])
def test_an_image_that_is_not_kept(app, digests, digest):
    assert call(app, f"/pictures/kept/{digest}").status in (404, 422)
    assert say(app, digest, "none").status == 422


def test_a_store_of_a_newer_version(place, app):
    folder = place.settings.traffic_store
    folder.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(folder / "traffic.db")) as database:
        database.execute("PRAGMA user_version = 99")
    answer = call(app, "/api/queue")
    assert answer.status == 422
    assert "newer siamese-tfx" in answer.json["error"]


def test_suspects_of_the_last_judgement(app, place, monkeypatch):
    def add(settings, store):
        store.add_image(encoded(picture(0, 0)), Kept.SUSPECT, 1, "a/0.png", "a")
        return AddedSuspects("r", 1, 0, 0, [])

    monkeypatch.setattr(reviewing, "add_suspects", add)
    assert call(app, "/api/suspects", {}).json["added"] == 1
    [item] = call(app, "/api/queue").json["items"]
    assert (item["kept"], item["given"], item["source"]) == ("suspect", "a", "a/0.png")


def test_no_run_was_judged(app):
    answer = call(app, "/api/suspects", {})
    assert (answer.status, "no judged run" in answer.json["error"]) == (422, True)
