"""`siamese review`, on a traffic store without a server."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from command_line import siamese
from judge_views import held_out
from judged_runs import Pipelines, judged

from pipeline.config.reading import load
from pipeline.terminal.console import WRONG_USE
from traffic.rows import Answer, Decision, Kept, Review
from traffic.store import TrafficStore


def keep(store, name, kept=Kept.UNKNOWN, label="bent"):
    digest = store.add_image(name.encode(), kept, 1.0)
    store.add_answers([Answer(1.0, "mine", 1, label, False, margin=0.25, digest=digest)])
    return digest


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def fill_in(path, **columns):
    rows = [row | columns for row in table(path)]
    with open(path, "w", newline="") as file:
        lines = csv.DictWriter(file, rows[0])
        lines.writeheader()
        lines.writerows(rows)


def test_without_a_store_the_fix_is_told(place):
    result = siamese("review", "my.yaml")
    assert result.exit_code == WRONG_USE
    assert "is no traffic store; `siamese record` makes one" in result.everything


def test_it_tells_what_is_pending_and_where_the_page_is(store):
    keep(store, "a")
    store.review(Review(keep(store, "b"), 1.0, Decision.SKIP))
    result = siamese("review", "my.yaml")
    assert result.stdout.splitlines() == [
        "1 image to review (1 unknown).",
        "1 reviewed, 1 of them in no span yet.",
        "The page to review them: siamese ui my.yaml",
    ]
    found = json.loads(siamese("review", "my.yaml", "--json", "--list").stdout)
    assert (found["pending"], found["by_reason"]) == (1, {"unknown": 1})
    assert found["queue"][0]["predicted"] == "bent"


def test_an_empty_queue_is_a_sentence(store):
    assert "No images to review.\n" in siamese("review", "my.yaml", "--list").stdout


def test_the_list_is_of_the_heads_of_the_queue(store):
    for i in range(25):
        keep(store, str(i))
    keep(store, "s", Kept.SUSPECT)
    result = siamese("review", "my.yaml", "--list")
    assert "suspect" in result.stdout.partition("unknown")[0]
    assert "and 6 more" in result.stdout


def test_decisions_go_out_and_in_as_a_table(store):
    digest = keep(store, "a")
    assert siamese("review", "my.yaml", "--export", "queue.csv").exit_code == 0
    assert (
        "0 decisions kept, 1 lines without one"
        in siamese("review", "my.yaml", "--import", "queue.csv").everything
    )
    fill_in("queue.csv", label=" dent ", group="p1")
    result = siamese("review", "my.yaml", "--import", "queue.csv", "--reviewer", "ada")
    assert result.exit_code == 0, result.everything
    assert store.review_of(digest)[2:] == (Decision.LABEL, "dent", "ada", "p1", None)
    siamese("review", "my.yaml", "--undo", digest[:8])
    assert store.review_of(digest) is None


def test_one_decision_that_another_has_made_keeps_the_whole_table_out(store):
    first, digest, last = (keep(store, name) for name in "abc")
    siamese("review", "my.yaml", "--export", "queue.csv")
    store.review(Review(digest, 1.0, Decision.LABEL, "cut", "bob"))
    fill_in("queue.csv", decision="none")
    line = 2 + [row["digest"] for row in table("queue.csv")].index(digest)
    result = siamese("review", "my.yaml", "--import", "queue.csv")
    assert result.exit_code == WRONG_USE
    assert f"queue.csv, line {line}: image {digest[:12]}: has been reviewed by bob as 'cut'" in (
        result.everything
    )
    assert [one.label for one in store.reviews()] == ["cut"]
    assert siamese("review", "my.yaml", "--import", "queue.csv", "--replace").exit_code == 0
    assert {one.decision for one in store.reviews()} == {Decision.NONE}
    assert {one.digest for one in store.reviews()} == {first, digest, last}


def test_two_lines_about_an_image_are_refused(store, place):
    digest = keep(store, "a")
    (place / "t.csv").write_text(f"digest,label\n{digest},bent\n{digest},cut\n")
    result = siamese("review", "my.yaml", "--import", "t.csv", "--replace")
    assert "t.csv, line 3: is about the same image as t.csv, line 2" in result.everything
    assert store.reviews() == []


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"decision": "maybe"}, "line 2: decision 'maybe' must be one of label, none, skip"),
        ({"decision": "label"}, "line 2: a decision 'label' needs a label"),
        ({"decision": "none", "label": "cut"}, "a decision 'none' with the label 'cut'"),
        ({"label": "a/b"}, "line 2: class 'a/b': use one line of text without /"),
        ({"label": "cut", "digest": "12"}, "no image '12' is kept (any more)"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_kept(store, columns, message):
    keep(store, "a")
    siamese("review", "my.yaml", "--export", "queue.csv")
    fill_in("queue.csv", **columns)
    result = siamese("review", "my.yaml", "--import", "queue.csv")
    assert result.exit_code == WRONG_USE
    assert message in result.everything
    assert store.reviews() == []


def test_a_table_of_something_else_is_refused(store, place):
    (place / "other.csv").write_text("path,label\na,b\n")
    result = siamese("review", "my.yaml", "--import", "other.csv")
    assert "has no column digest" in result.everything


def test_suspects_of_the_last_judgement_come_into_the_store(place):
    found = judged(held_out(classes=4, each=12, spread=0.6))
    pictures = {one.image for one in (*found.judgement.suspects, *found.judgement.mistakes)}
    assert pictures
    missing = min(pictures, key=lambda one: one.source)
    for picture in pictures - {missing}:
        path = place / "data" / picture.source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture.id.encode())
    judgement = found.judgement.model_copy(update={"root": str(place / "data")})
    pipelines = Pipelines(place)
    pipelines.add(found=found._replace(judgement=judgement))
    pipelines.add(failed="Trainer")  # has no judgement: the one before counts
    result = siamese("review", "my.yaml", "--suspects", "--json")
    assert result.exit_code == 0, result.everything
    assert f"{missing.source} cannot be read any more" in result.stderr
    assert json.loads(result.stdout)["suspects"]["added"] == len(pictures) - 1
    again = json.loads(siamese("review", "my.yaml", "--suspects", "--json").stdout)
    assert (again["suspects"]["added"], again["suspects"]["known"]) == (0, len(pictures) - 1)
    with TrafficStore(load("my.yaml").traffic_store) as store:
        images = {(image.source, image.given_label, image.kept) for image in store.images()}
        digest, pending = (image.digest for image in store.images()[:2])
        for one in (digest, pending):
            store.review(Review(one, 1.0, Decision.LABEL, "class-0"))
        store.set_span({digest: "class-0"}, 2)
        stays = siamese("review", "my.yaml", "--suspects")
        assert "2 of these have been reviewed, and stay reviewed; --reopen" in stays.stderr
        assert store.review_of(digest) is not None
        siamese("review", "my.yaml", "--suspects", "--reopen")
        assert store.review_of(digest) is None
        assert store.review_of(pending) is not None  # nobody has trained on it yet
    assert images == {(one.source, one.label, Kept.SUSPECT) for one in pictures - {missing}}


def test_suspects_need_a_judged_run(place):
    result = siamese("review", "my.yaml", "--suspects")
    assert "mine has no judged run in runs/mine" in result.everything


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--test", "labelled"), "--test: only with --enroll"),
        (("--reopen",), "--reopen: only with --suspects"),
    ],
)
def test_options_that_say_nothing_alone(store, option, message):
    result = siamese("review", "my.yaml", *option)
    assert result.exit_code == WRONG_USE
    assert message in result.everything


@pytest.mark.parametrize(
    ("folder", "message"),
    [("s3://bucket/t", "is not on this machine"), ("none", "there is no such folder or CSV file")],
)
def test_images_to_judge_on_are_looked_for_first(store, enrolls, folder, message):
    """Also before a decision is undone."""
    digest = keep(store, "a")
    store.review(Review(digest, 1.0, Decision.LABEL, "dent"))
    result = siamese("review", "my.yaml", "--undo", digest, "--enroll", "dent", "--test", folder)
    assert result.exit_code == WRONG_USE
    assert result.stderr.startswith("Error: --test ")
    assert message in result.stderr
    assert store.review_of(digest) is not None


@pytest.fixture
def enrolls(monkeypatch):
    """Stands in for the enrolment: asks the check about a version, and says what it wrote."""
    from pipeline.review import enrolling
    from serving.class_images import Unusable
    from serving.enroll import Enrolled

    def enroll(settings, store, label, check):
        check(Path("m/2"), [])
        return Enrolled(
            model=Path("m/1"), version=Path("m/2"), classes={label: 3}, added={label: 3},
            removed=[], unusable=[Unusable(Path("ab12"), "is empty")], changed=0,
            before={label: (1, 2)}, after={label: (3, 3)},
        )  # fmt: skip

    monkeypatch.setattr(enrolling, "enroll_reviewed", enroll)
    monkeypatch.setattr("pipeline.commands.served_check.check_served", lambda *_: None)


def test_an_enrolment_says_what_it_changes(store, enrolls):
    result = siamese("review", "my.yaml", "--enroll", "dent")
    assert result.exit_code == 0, result.everything
    assert "ab12 is empty" in result.stderr
    assert "classified by the others: 1 of 2 before, 3 of 3 now" in result.stdout
    found = json.loads(siamese("review", "my.yaml", "--enroll", "dent", "--json").stdout)
    assert found["enrolled"]["version"] == "m/2"


def test_an_enrolment_is_gated_by_the_configuration(store, enrolls, monkeypatch):
    judgement = judged(held_out(classes=4, each=12, spread=0.6)).judgement
    verdict = judgement.verdict.model_copy(update={"outcome": "not_blessed", "reasons": ("low",)})
    asked = []

    def judge(version, images, settings, status):
        asked.append((version, images, settings.thresholds.auc.at_least))
        return judgement.model_copy(update={"verdict": verdict})

    monkeypatch.setattr("pipeline.commands.served_check.judge_version", judge)
    Path("labelled").mkdir()
    options = ("--enroll", "dent", "--test", "labelled", "--set", "thresholds.auc=0.99")
    result = siamese("review", "my.yaml", *options)
    assert asked == [(Path("m/2"), Path("labelled"), 0.99)]
    assert result.exit_code == 3
    assert "and was not written: low" in result.stderr
