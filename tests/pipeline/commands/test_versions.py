"""`siamese versions`, `promote` and `rollback`, on folders that look like versions."""

import json

import pytest
from command_line import siamese
from judged_runs import Pipelines
from version_folders import add_version, verdict

from judging.judgement import Verdict
from pipeline.runs.history import Artifact, Component
from pipeline.runs.summary import Summary
from serving.version_labels import labels_file, read_labels

PUSHED = 1_795_000_000


@pytest.fixture(autouse=True)
def base(tmp_path, monkeypatch):
    """The base path of a pipeline `mine`, with a trained version and one enrolled from it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "my.yaml").write_text("name: mine\ndata: {root: data}\n")
    base = tmp_path / "runs/mine/serving"
    add_version(
        base, PUSHED, pipeline="mine", run="r1", verdict=verdict(class_accuracy=0.9, auc=0.95)
    )
    add_version(
        base, PUSHED + 60, None, "enrolment", parent=str(PUSHED), changes=["added 5 images to 'x'"]
    )
    return base


def said(*arguments, code=0):
    result = siamese(*arguments)
    assert result.exit_code == code, result.everything
    return result.everything


def listed(*arguments):
    return json.loads(said("versions", "my.yaml", "--json", *arguments))


def test_versions_and_where_they_come_from():
    text = said("versions", "my.yaml")
    assert "run r1" in text
    assert f"enrolment of {PUSHED}; added 5 images to 'x'" in text
    assert "blessed" in text
    assert "not gated" in text
    assert "Accuracy of the classes" in text
    assert "90.0 %" in text
    assert "0.950" in text
    assert f"No version has a label: servers serve the newest one, {PUSHED + 60}" in text


def test_versions_as_json():
    found = listed()
    assert [one["version"] for one in found["versions"]] == [PUSHED + 60, PUSHED]
    enrolled, trained = found["versions"]
    assert (enrolled["made_by"], enrolled["parent"], enrolled["verdict"]) == (
        "enrolment",
        str(PUSHED),
        None,
    )
    assert trained["verdict"]["figures"]["auc"]["value"] == 0.95
    assert (enrolled["loaded"], trained["loaded"]) == (True, False)
    assert (found["served"], found["labels"], found["history"]) == (PUSHED + 60, {}, [])


def test_promote_and_rollback(base):
    assert said("promote", "my.yaml", PUSHED).endswith(
        f"Version {PUSHED} is stable; it was {PUSHED + 60}.\n"
    )
    assert "was never gated" in said("promote", "my.yaml", PUSHED + 60, code=2)
    text = said("promote", "my.yaml", PUSHED + 60, "--label", "canary", "--not-gated")
    assert f"Version {PUSHED + 60} is canary." in text
    assert "let clients ask for the label 'stable'" in text
    assert {one["version"]: one["labels"] for one in listed()["versions"]} == {
        PUSHED: ["stable"],
        PUSHED + 60: ["canary"],
    }
    said("promote", "my.yaml", "--not-gated")
    assert said("rollback", str(base)) == f"Version {PUSHED} is stable; it was {PUSHED + 60}.\n"
    labels = read_labels(labels_file(base))
    assert (labels.name, labels.versions) == ("mine", {"stable": PUSHED})
    assert [one["how"] for one in listed()["history"]] == ["promote"] * 3 + ["rollback"]
    assert said("promote", "my.yaml", PUSHED).endswith(f"{PUSHED} is stable, as before.\n")


def test_promote_as_json():
    moved = json.loads(said("promote", "my.yaml", PUSHED, "--json"))
    assert moved == {
        "label": "stable",
        "version": PUSHED,
        "before": PUSHED + 60,
        "labels": {"stable": PUSHED},
    }


def test_how_servers_see_the_model(base):
    names = ["--name", "siamese", "--base-path", "/models/siamese"]
    said("promote", base / str(PUSHED), PUSHED, *names)  # of a version's folder, its base path
    labels = read_labels(labels_file(base))
    assert (labels.name, labels.base_path) == ("siamese", "/models/siamese")


def test_prune():
    said("promote", "my.yaml", PUSHED)
    assert f"Deleted 1: {PUSHED + 60}" in said("versions", "my.yaml", "--prune", "0")
    assert [one["version"] for one in listed()["versions"]] == [PUSHED]


def test_a_version_of_an_older_release_is_known_by_its_run(tmp_path, base):
    old = add_version(base, PUSHED - 60, made_by=None)
    pipelines = Pipelines(tmp_path)
    run_id = pipelines.add()
    folder = tmp_path / "runs/mine/runs" / run_id
    summary = Summary.read(folder)
    properties = {"pushed": 1, "pushed_destination": str(old)}
    model = Artifact(uri="p", properties=properties)
    summary.run.components.append(
        Component(id="Pusher", outcome="done", outputs={"pushed_model": model})
    )
    summary.verdict = Verdict(outcome="blessed", checks=(), reasons=("all reached",))
    summary.write(folder)

    one = listed()["versions"][-1]
    assert (one["made_by"], one["run"], one["pipeline"]) == ("run", run_id, "mine")
    assert one["verdict"]["outcome"] == "blessed"
    assert one["made"] == "2026-11-18T11:05:40Z"
    said("promote", "my.yaml", PUSHED - 60)
    # From its folder alone nothing is known of it.
    assert "not known" in said("versions", base)
    assert "was never gated" in said("promote", base, PUSHED - 60, code=2)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("versions", "nowhere"), "nowhere: there is no such file or folder"),
        (("versions", ".", "--set", "name=a"), "--set needs a configuration"),
        (("versions", "."), "holds no version of a model"),
        (("promote", "my.yaml", 3), "has no version 3; the newest are"),
        (("rollback", "my.yaml", "--label", "canary"), "no version has the label 'canary'"),
    ],
)
def test_what_is_refused(arguments, told):
    assert told in said(*arguments, code=2)
