"""Another command prepares versions here; `tests/serving/enroll` tests the real one."""

import json
import sys
import time

import pytest
from asgi import call
from sample_images import encoded, picture

from pipeline.config.sections import Data
from pipeline.ui import changing, classes
from pipeline.ui.support import Listing
from serving.version_labels import Labels, labels_file, write_labels
from traffic.rows import Decision, Kept, Review

LISTING = Listing(
    3, {"a": [f"a/{n}.png" for n in range(5)], "b": ["b/0.png"]}, {"a": (4, 5)}, {"same": 0.5}
)
ENROLLS = """
import json, pathlib, sys
base, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
version = output / "4"
(version / "assets.extra").mkdir(parents=True)
(version / "saved_model.pb").write_text("new")
print(json.dumps({"model": str(base / "3"), "version": str(version), "classes": {"a": 5}}))
"""


@pytest.fixture
def base(place, monkeypatch):
    """The base path, with version 3."""
    base = place.settings.root / "serving"
    (base / "3").mkdir(parents=True)
    (base / "3/saved_model.pb").write_text("old")
    monkeypatch.setattr(place.support, "listing", lambda: LISTING)
    return base


@pytest.fixture
def asked(monkeypatch):
    """What commands are asked for; they end with version 4."""
    changes = []

    def command(base, output, folders, change):
        images = {folder.name: sorted(file.name for file in folder.iterdir()) for folder in folders}
        changes.append((images, change))
        return [sys.executable, "-c", ENROLLS, str(base), str(output)]

    monkeypatch.setattr(changing, "_command", command)
    return changes


def upload(app, number, name="x.png"):
    return call(app, f"/api/uploads?name={name}", encoded(picture(0, number))).json["id"]


def ended(app):
    while (found := call(app, "/api/change").json)["state"] == "preparing":
        time.sleep(0.01)
    return found


def test_the_support_set(app, place, base):
    with place.store() as store:
        for number in range(3):
            digest = store.add_image(encoded(picture(0, number)), Kept.UNKNOWN, 1)
            store.review(Review(digest, 1, Decision.LABEL, "crack"))
    found = call(app, "/api/classes").json
    assert (found["version"], found["reviewed"]) == (3, {"crack": 3})
    assert found["classes"][0] == {"name": "a", "images": LISTING.classes["a"], "right": [4, 5]}
    assert found["classes"][1]["right"] is None


def test_a_change_is_prepared_looked_at_and_published(app, base, asked):
    ids = [upload(app, n) for n in range(2)]
    values = {"add": {"<b>": ids}, "remove": ["b"], "remove_images": ["a/1.png"]}
    assert call(app, "/api/change/prepare", {**values, "move": {"a/2.png": "c"}}).status == 200
    found = ended(app)
    assert (found["state"], found["enrolled"]["classes"]) == ("prepared", {"a": 5})
    assert found["verdict"]["word"] == "Not gated"
    [(images, change)] = asked
    assert images == {"<b>": ["x-2.png", "x.png"]}
    assert (change.extend, change.remove, change.move) == (False, ["b"], {"a/2.png": "c"})
    assert sorted(path.name for path in base.iterdir()) == ["3"]  # nothing before it is published
    assert call(app, "/api/change/publish", {}).json == {"version": 4, "waits": False}
    assert (base / "4/saved_model.pb").read_text() == "new"
    assert call(app, "/api/change").json == {"state": "none"}
    assert call(app, "/api/change/publish", {}).status == 422


@pytest.mark.parametrize(
    ("root", "manifest", "suggested"),
    [
        ("data", None, "data"),
        ("data/span-{SPAN}", None, "data/span-2"),
        ("none/span-{SPAN}", None, None),
        ("none", None, None),
        ("s3://bucket/data", None, None),
        ("gs://bucket/span-{SPAN}", None, None),
        ("data", "labels.csv", "data/labels.csv"),
        ("data", "lists/labels.csv", None),
    ],
)
def test_images_to_judge_on_are_suggested_as_the_command_takes_them(
    tmp_path, monkeypatch, root, manifest, suggested
):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        (tmp_path / f"data/span-{number}").mkdir(parents=True)
    assert classes._labelled(Data(root=root, manifest=manifest)) == suggested


def test_a_change_is_judged_where_images_are_named(app, place, base, monkeypatch):
    """A command that writes what it was asked for into the version's lineage."""
    gates = ENROLLS + (
        "verdict = {'outcome': 'blessed', 'time': '2026-01-01T00:00:00Z', 'on': sys.argv[3:]}\n"
        "verdict['on'] = ' '.join(verdict['on'])\n"
        "lineage = json.dumps({'made_by': 'enrolment', 'verdict': verdict})\n"
        "(version / 'assets.extra/lineage.json').write_text(lineage)\n"
    )
    monkeypatch.setattr(
        changing, "_command", lambda b, o, f, c: [sys.executable, "-c", gates, str(b), str(o)]
    )
    call(app, "/api/change/prepare", {"remove": ["b"], "test": " labelled "})
    verdict = ended(app)["verdict"]
    assert (verdict["outcome"], verdict["word"]) == ("blessed", "Blessed")
    assert verdict["on"] == f"--test=labelled --config={place.config}"
    call(app, "/api/change/prepare", {"remove": ["b"]})
    assert ended(app)["verdict"]["on"] == ""


def test_reviewed_images_become_a_class(app, place, base, asked):
    with place.store() as store:
        digest = store.add_image(encoded(picture(0, 1)), Kept.UNKNOWN, 1)
        store.review(Review(digest, 1, Decision.LABEL, "crack"))
    call(app, "/api/change/prepare", {"reviewed": ["crack"]})
    assert ended(app)["state"] == "prepared"
    assert asked[0][0] == {"crack": [digest[:16]]}


@pytest.mark.parametrize(("labels", "waits"), [({}, False), ({"stable": 3}, True)])
def test_with_labels_a_published_version_waits_for_its_promotion(app, base, asked, labels, waits):
    write_labels(labels_file(base), Labels("mine", str(base), labels, (*labels.values(),)))
    call(app, "/api/change/prepare", {"remove": ["b"]})
    ended(app)
    assert call(app, "/api/change/publish", {}).json == {"version": 4, "waits": waits}


def test_another_version_has_appeared_meanwhile(app, base, asked):
    call(app, "/api/change/prepare", {"remove": ["b"]})
    ended(app)
    (base / "9").mkdir()
    answer = call(app, "/api/change/publish", {})
    assert answer.status == 422
    assert "another version has appeared" in answer.json["error"]
    assert call(app, "/api/change").json["state"] == "prepared"
    call(app, "/api/change/discard", {})
    assert call(app, "/api/change").json == {"state": "none"}


def test_a_change_that_fails_says_why(app, base, monkeypatch):
    script = "import sys; sys.exit('a warning\\nError: m/3: has no\\n  x is empty')"
    monkeypatch.setattr(changing, "_command", lambda *_: [sys.executable, "-c", script])
    call(app, "/api/change/prepare", {"remove": ["b"]})
    assert ended(app) == {"state": "failed", "error": "m/3: has no\n  x is empty"}


def test_a_change_is_discarded_while_it_is_prepared(app, base, monkeypatch):
    script = "import time; time.sleep(60)"
    monkeypatch.setattr(changing, "_command", lambda *_: [sys.executable, "-c", script])
    call(app, "/api/change/prepare", {"remove": ["b"]})
    assert call(app, "/api/change/prepare", {"remove": ["b"]}).status == 422  # one at a time
    assert call(app, "/api/change/discard", {}).json == {"state": "none"}


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"add": {"a": [], "new": []}}, 422),
        ({"add": {"../x": []}}, 422),
        ({"add": {"x": ["0" * 64]}}, 422),
        ({"add": []}, 400),
        ({"remove": "b"}, 400),
        ({"remove": [1]}, 400),
        ({"move": {"a/1.png": "a/b"}}, 422),
        ({"move": {"a/1.png": 3}}, 400),
        ({"remove": ["b"], "test": 3}, 400),
    ],
)
def test_what_is_no_change(app, base, asked, values, status):
    assert call(app, "/api/change/prepare", values).status == status
    assert asked == []


def test_the_command(tmp_path):
    change = changing.Change({}, True, ["-x"], ["a/1.png"], {"a/=2.png": "b"})
    command = changing._command(tmp_path, tmp_path / "o", [tmp_path / "-n"], change)
    assert command[2:4] == ["pipeline", "enroll"]
    assert f"--images={tmp_path}/-n" in command
    assert command[-4:] == [
        "--remove=-x",
        "--remove-image=a/1.png",
        "--move-image=a/=2.png=b",
        "--extend",
    ]


def test_no_model_on_this_machine(app, place):
    answer = call(app, "/api/classes")
    assert answer.status == 422
    assert "no model has been pushed" in answer.json["error"]
    assert call(app, "/api/thresholds?version=3").json == {}
    json.dumps(answer.json)
