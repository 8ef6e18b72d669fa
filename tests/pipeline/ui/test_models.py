import time

import pytest
from asgi import call

from pipeline.ui import models
from serving.version_labels import labels_file, read_labels
from storage.lineage import Figure, Lineage, Verdict, now, write_lineage
from traffic.rows import Answer


@pytest.fixture
def base(place, monkeypatch):
    """Versions 3, of a run and blessed, and 4, enrolled and never judged."""
    monkeypatch.setattr(models, "_WAIT_SECONDS", 0)
    base = place.settings.root / "serving"
    figures = {"class_accuracy": Figure(value=0.95, low=0.9, high=0.98, images=100)}
    verdict = Verdict(outcome="blessed", figures=figures, time=now(), on="data")
    run = Lineage(made_by="run", run="20261129-000000", classes={"a": 5}, verdict=verdict)
    enrolled = Lineage(made_by="enrolment", parent="3", changes=("added 4 images to '<b>'",))
    for number, lineage in ((3, run), (4, enrolled)):
        (base / str(number)).mkdir(parents=True)
        (base / str(number) / "saved_model.pb").write_text("model")
        write_lineage(base / str(number), lineage)
    return base


def test_the_versions(app, base):
    found = call(app, "/api/models").json
    assert (found["served"], found["labelled"]) == (4, False)
    enrolled, run = found["versions"]
    assert (enrolled["version"], enrolled["word"], enrolled["origin"]) == (
        4,
        "Not gated",
        "enrolment of 3",
    )
    assert enrolled["changes"] == ["added 4 images to '<b>'"]
    assert (run["word"], run["classes"], run["on"]) == ("Blessed", {"a": 5}, "data")
    [figure] = run["figures"]
    assert (figure["text"], figure["between"]) == ("95.0 %", "90.0 % to 98.0 %")


def test_promote_and_roll_back(app, base):
    values = {"version": 3, "label": "stable"}
    assert call(app, "/api/models/promote", values).json["version"] == 3
    refused = call(app, "/api/models/promote", {"version": 4})
    assert (refused.status, "never gated" in refused.json["refused"]) == (200, True)
    assert call(app, "/api/models").json["served"] == 3
    canary = {"version": 4, "label": "canary", "not_gated": True}
    assert call(app, "/api/models/promote", canary).json["label"] == "canary"
    assert call(app, "/api/models").json["versions"][0]["labels"] == ["canary"]
    assert call(app, "/api/models/rollback", {"label": "canary"}).json["version"] is None
    call(app, "/api/models/promote", {"version": 4, "not_gated": True})
    assert call(app, "/api/models").json["previous"] == 3
    assert call(app, "/api/models/rollback", {}).json == {
        "label": "stable",
        "version": 3,
        "before": 4,
    }


@pytest.mark.parametrize(
    ("path", "values", "status"),
    [
        ("promote", {}, 400),
        ("promote", {"version": "3"}, 400),
        ("promote", {"version": 9}, 422),
        ("promote", {"version": 3, "label": "../x"}, 400),
        ("rollback", {"label": "x"}, 400),
        ("rollback", {"label": "canary"}, 422),
    ],
)
def test_what_cannot_be_moved(app, base, path, values, status):
    assert call(app, f"/api/models/{path}", values).status == status


def test_no_model_has_been_pushed(app):
    assert call(app, "/api/models").status == 422


def test_the_traffic(app, place):
    then = time.time() - 7200
    with place.store() as store:
        store.add_answers(
            [
                *(Answer(time.time() - 10, "mine", 3, "a", known) for known in (True, True, False)),
                *(Answer(then, "mine", 3, f"class-{n}", True) for n in range(14)),
            ]
        )
    found = call(app, "/api/traffic").json
    assert found["hour"] == {"calls": 3, "unknown": 1, "classes": [["a", 2]], "others": 0}
    assert (found["day"]["calls"], found["day"]["others"]) == (17, 3)
    assert len(found["day"]["classes"]) == 12


def test_labels_name_the_folder_as_servers_see_it(app, place, base):
    place.base_path = "/models/parts"
    call(app, "/api/models/promote", {"version": 3, "label": "stable"})
    assert read_labels(labels_file(base)).base_path == "/models/parts"
