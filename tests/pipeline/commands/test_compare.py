"""`siamese compare`: what differs, what was changed, and how runs are named."""

import json
import re

import numpy as np
import pytest
from command_line import siamese
from judge_views import held_out
from judged_runs import Pipelines, good, judged, poor, write_judgement

from judging.settings import JudgeSettings

WRONG_USE = 2


@pytest.fixture
def pipelines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    made = Pipelines(tmp_path)
    (tmp_path / "my.yaml").write_text("name: mine\ndata: {root: data}\n")
    return made


@pytest.fixture
def two(pipelines):
    """A poor run and then a good one, on the same images."""
    pipelines.add(found=judged(poor()), seed=0, training={"epochs": 5, "learning_rate": 0.1})
    pipelines.add(found=judged(good()), seed=0, training={"epochs": 9}, cache=True)
    return pipelines


def compare(*arguments, code=0):
    result = siamese("compare", *arguments)
    assert result.exit_code == code, result.everything
    return result.everything


def compared(first="my.yaml:previous", second="my.yaml"):
    return json.loads(compare(first, second, "--json"))


def metrics(found):
    return {one["name"]: one for one in found["metrics"]}


def test_metrics_side_by_side(two):
    found = compared()
    assert (found["first"]["outcome"], found["second"]["outcome"]) == ("not_blessed", "blessed")
    pairs = found["shared"].pop("pairs")
    assert found["shared"] == {"both": 48, "only_first": 0, "only_second": 0, "relabelled": 0}
    assert pairs > 100
    measured = metrics(found)
    for name in ("auc", "class_accuracy"):
        one = measured[name]
        gap = one["difference"]
        assert one["paired"]
        assert gap["value"] == pytest.approx(one["second"]["value"] - one["first"]["value"])
        assert 0 < gap["low"] < gap["value"] < gap["high"]
    # No note of an image tells what would have been said of it without its class.
    assert not measured["open_set_auc"]["paired"]
    assert measured["open_set_auc"]["difference"]["value"] > 0
    assert found["notes"] == []


def test_the_other_way_round_differences_turn(two):
    there, back = metrics(compared()), metrics(compared("my.yaml", "my.yaml:previous"))
    # The poor one calls no pair the same.
    assert there.pop("precision")["difference"] is back["precision"]["difference"] is None
    for name, one in there.items():
        gap, turned = one["difference"], back[name]["difference"]
        assert turned["value"] == pytest.approx(-gap["value"])
        assert (turned["low"], turned["high"]) == pytest.approx((-gap["high"], -gap["low"]))


def test_a_run_with_itself_does_not_differ(two):
    found = compared("my.yaml", "my.yaml")
    assert len(found["metrics"]) == 10
    assert all(one["difference"]["value"] == 0 for one in found["metrics"])
    assert (found["fixed"], found["broken"]) == ([], [])
    assert (found["configuration"], found["data"]) == ([], [])
    told = compare("my.yaml", "my.yaml")
    assert "No class's recall changed (4 classes)." in told
    assert "Configuration: unchanged." in told


def test_classes_and_images_that_turned(two):
    found = compared()
    recalls = {one["name"]: one for one in found["classes"]}
    assert set(recalls) == {"c0", "c1", "c2", "c3"}
    assert found["fixed"]
    for image in found["fixed"]:
        assert image["second"] == image["label"] != image["first"]
        assert image["source"].startswith(image["label"] + "/")
    turned = len(found["fixed"]) - len(found["broken"])
    gained = sum(12 * one["difference"]["value"] for one in recalls.values())
    assert gained == pytest.approx(turned)
    back = compared("my.yaml", "my.yaml:previous")
    assert [i["source"] for i in back["broken"]] == [i["source"] for i in found["fixed"]]


def test_what_was_changed_in_configuration_and_data(two):
    found = compared()
    changes = {one["key"]: (one["first"], one["second"]) for one in found["configuration"]}
    assert changes == {
        "training.epochs": (5, 9),
        "training.learning_rate": (0.1, "(absent)"),
        "cache": ("(absent)", True),
    }
    data = {one["key"]: (one["first"], one["second"]) for one in found["data"]}
    assert data == {
        "test": (14, 16), "class c0, test": (7, 8), "class c1, test": (7, 8),
    }  # fmt: skip


def test_runs_on_different_images_are_compared_on_those_of_both(pipelines):
    images, view = good()
    pipelines.add(found=judged((images, view)))
    later = np.arange(len(images.ids)) >= 6
    ids = np.where(np.arange(len(images.ids)) >= 40, np.char.add(images.ids, "x"), images.ids)[
        later
    ]
    fewer = images.only(later)._replace(ids=ids)
    pipelines.add(found=judged((fewer, view._replace(embeddings=view.embeddings[later]))))
    found = compared()
    assert found["shared"].pop("pairs") > 0
    assert found["shared"] == {"both": 34, "only_first": 14, "only_second": 8, "relabelled": 0}
    [note] = found["notes"]
    assert "judged on different images: 34 are compared" in note
    measured = metrics(found)
    assert measured["class_accuracy"]["first"]["images"] == 34
    assert measured["open_set_auc"]["difference"] is None
    assert "judged on different images" in compare("my.yaml:previous", "my.yaml")


def test_relabelled_images_are_not_compared(pipelines):
    images, view = good()
    pipelines.add(found=judged((images, view)))
    labels = images.labels.copy()
    labels[:2] = "c1"
    pipelines.add(found=judged((images._replace(labels=labels), view)))
    assert compared()["shared"]["relabelled"] == 2
    assert compared()["shared"]["both"] == 46


def test_metrics_that_were_measured_otherwise_have_no_difference(pipelines):
    from judging.judge import judge
    from judging.settings import Thresholds

    pipelines.add(found=judged(good()))
    settings = JudgeSettings(episodes={"ways": 3})
    pipelines.add(found=judge(*good(), {}, None, Thresholds(), settings))
    measured = metrics(compared())
    assert measured["episode_accuracy"]["difference"] is None
    assert measured["open_set_auc"]["difference"] is not None
    unknown = judge(*good(unknown=5), {}, None, Thresholds(), settings)
    pipelines.add(found=unknown)
    assert metrics(compared())["open_set_auc"]["difference"] is None


def test_for_people(two):
    told = compare("my.yaml:previous", "my.yaml")
    assert "not blessed" in told
    [line] = [x for x in told.splitlines() if x.strip().startswith("auc ")]
    assert line.rstrip().endswith("better")
    assert re.match(r" auc +0\.\d{3} +0\.\d{3} +\+0\.\d{3} +\+0\.\d{3} to \+0\.\d{3} ", line)
    [line] = [x for x in told.splitlines() if x.strip().startswith("class_accuracy ")]
    assert re.search(r" \d+\.\d % +[0-9.]+ % +\+\d+\.\d +\+\d+\.\d to \+\d+\.\d ", line)
    assert "Images now correct:" in told
    assert "training.epochs" in told
    back = compare("my.yaml", "my.yaml:previous")
    lines = {x.split()[0]: x.rstrip() for x in back.splitlines() if x.strip()}
    assert lines["auc"].endswith("worse")
    assert lines["equal_error_rate"].endswith("worse")
    assert lines["open_set_auc"].endswith("unpaired")


def test_identifiers_are_whole_at_80_columns(two, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    told = compare("my.yaml:previous", "my.yaml")
    assert max(map(len, told.splitlines())) <= 80
    words = told.split()
    assert {"equal_error_rate", "worst_class_recall", "training.learning_rate"} <= {*words}
    assert {"20260102-000000", "20260103-000000"} <= {*words}


def test_runs_are_named_in_several_ways(two, tmp_path):
    other = two.add("other", judged(good()))
    write_judgement(tmp_path / "kept", judged(poor()))
    first = "20260102-000000"
    for name in (f"my.yaml:{first}", f"runs/mine:{first}", "runs/mine/runs/20260102-000000"):
        assert compared(name, "runs/other")["first"]["run"] == first
    assert compared("my.yaml", f"runs/other:{other}")["second"]["name"] == "other"
    found = compared("kept", "my.yaml")
    assert found["first"]["name"] == "kept"
    assert found["configuration"] is None
    assert any("configuration of kept is not kept" in note for note in found["notes"])
    told = compare("previous", "latest", "--config", "my.yaml", "--json")
    assert json.loads(told)["first"]["run"] == first


def test_what_cannot_be_compared_is_refused_in_words(two, tmp_path):
    assert "no such file or folder, nor one followed by" in compare(
        "first", "my.yaml", code=WRONG_USE
    )
    assert "mine has no run 7" in compare("my.yaml:7", "my.yaml", code=WRONG_USE)
    two.add()
    assert "has no judgement; run it again" in compare(
        "my.yaml", "my.yaml:previous", code=WRONG_USE
    )
    two.add(failed="Trainer")
    assert "failed in Trainer" in compare("my.yaml", "runs/mine:previous", code=1)
    (tmp_path / "runs/mine/pipeline/Judge/judgement/2/outcomes.jsonl").unlink()
    run = "20260103-000000"
    told = compare(f"my.yaml:{run}", f"my.yaml:{run}", code=WRONG_USE)
    assert "outcomes.jsonl: is gone" in told


def test_classes_held_out_from_training(pipelines):
    """They are classified by each other, and an image alone in its class not at all."""
    images, view = held_out(classes=4, each=6, spread=0.2, first=4)
    labels = images.labels.copy()
    labels[-1] = "alone"
    pipelines.add(found=judged((images._replace(labels=labels), view)))
    pipelines.add(found=judged((images._replace(labels=labels), view)))
    found = compared()
    assert found["shared"]["both"] == 23
    assert metrics(found)["class_accuracy"]["difference"]["value"] == 0


def test_a_configuration_that_is_empty_is_said_to_be_lost(two, tmp_path):
    (tmp_path / "runs/mine/runs/20260102-000000/config.yaml").write_text("")
    found = compared("my.yaml:previous", "my.yaml")
    assert found["configuration"] is None
    assert any("configuration of run 20260102-000000" in note for note in found["notes"])
