import json
from datetime import datetime, timezone
from html.parser import HTMLParser

import pytest
import yaml
from command_line import siamese
from judged_runs import Pipelines, good, judged

from judging import classifier
from judging.classifier import class_centroids
from judging.reference import known_by
from storage.lineage import Lineage, write_lineage
from traffic.rows import Answer
from traffic.store import TrafficStore

from judge_views import held_out  # isort: skip

CONFIG = {"name": "mine", "data": {"root": "data"}, "output": "runs"}
WEEK = ("--since", "2026-01-01", "--until", "2026-01-08")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A pipeline whose only run has pushed version 5."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(CONFIG))
    Pipelines(tmp_path).add(found=judged(good()), pushed=5)
    return tmp_path


def record(place, count=60, version=5, far=0, move=0.0):
    """Record a week's answers, in the space and by the support set of `good`."""
    _, view = good()
    points = held_out(classes=4, each=count // 4, spread=0.2, seed=7)[1].embeddings + move
    points[:far] = -1
    known = class_centroids(view.support.embeddings, view.support.labels)
    scores = classifier.cosines(known.distances(points))
    best = scores.max(axis=1)
    start = datetime(2026, 1, 2, tzinfo=timezone.utc).timestamp()
    with TrafficStore(place / "runs/mine/traffic", create=True) as store:
        store.add_answers(
            Answer(
                start + i,
                "parts",
                version,
                str(known.classes[row.argmax()]),
                bool(known_by(best[i], view.known)),
                score=float(best[i]),
                margin=float(best[i] - sorted(row)[-2]),
                embedding=points[i],
            )
            for i, row in enumerate(scores)
        )


def test_fine_traffic(place):
    record(place)
    told = siamese("monitor", "mine.yaml", *WEEK)
    assert told.exit_code == 0, told.output
    assert "Fine: no difference to the 48 judged images" in told.stdout
    assert "estimated, without labels" in told.stdout


def test_drifted_traffic_as_json_page_and_metrics(place):
    record(place, far=15)
    told = siamese(
        "monitor", "mine.yaml", *WEEK, "--json", "--html", "m.html", "--prometheus", "m.prom"
    )
    assert told.exit_code == 3, told.output
    found = json.loads(told.stdout)
    assert found["outcome"] == "drifted"
    assert found["period"]["version"] == found["period"]["judged_version"] == 5
    page = (place / "m.html").read_text()
    assert "✗ Drifted" in page
    assert "http" not in page.replace("http-equiv", "")
    HTMLParser().feed(page)
    assert (
        'siamese_monitor_outcome{model="parts",version="5",outcome="drifted"} 1.0'
        in (place / "m.prom").read_text()
    )


def test_drift_is_told_to_the_webhook(place, monkeypatch):
    told = []
    monkeypatch.setattr("pipeline.notify.tell", lambda *event: told.append(event))
    record(place, far=15)
    siamese("monitor", "mine.yaml", *WEEK, "--quiet")
    [(_, event, text, fields)] = told
    assert event == "drift"
    assert "Drifted: " in text
    assert fields["version"] == 5


def test_a_class_name_with_html_is_text(place):
    record(place)
    with TrafficStore(place / "runs/mine/traffic") as store:
        store.add_answers([_odd("<script>alert(1)</script>")])
    assert siamese("monitor", "mine.yaml", *WEEK, "--html", "m.html").exit_code == 0
    assert "<script>" not in (place / "m.html").read_text()


def _odd(label):
    time = datetime(2026, 1, 3, tzinfo=timezone.utc).timestamp()
    return Answer(time, "parts", 5, label, True, score=0.9, margin=0.5)


def test_too_few_images(place):
    record(place, count=20)
    told = siamese("monitor", "mine.yaml", *WEEK, "--html", "m.html")
    assert told.exit_code == 4
    assert "Too few: only 20 images" in told.stdout
    assert "? Too few" in (place / "m.html").read_text()


def test_no_answers_in_the_period(place):
    record(place)
    told = siamese("monitor", "mine.yaml", "--since", "2025-01-01", "--until", "2025-01-08")
    assert told.exit_code == 4
    assert "no answer was recorded" in told.stdout


def test_a_version_made_of_a_judged_one_has_its_reference(place):
    record(place, version=6)
    record(place, count=8)
    told = siamese("monitor", "mine.yaml", *WEEK)
    assert told.exit_code == 0
    text = " ".join(told.stdout.split())
    assert "version 6 was made of version 5" in text
    assert "8 of parts/5" in text


def test_the_lineage_names_the_run(place):
    first = next((place / "runs/mine/runs").iterdir()).name
    Pipelines(place).add(found=judged(good()), pushed=7)
    served = place / "runs/mine/serving/8"
    served.mkdir(parents=True)
    write_lineage(served, Lineage(made_by="enrolment", run=first, parent="6"))
    record(place, version=8)
    told = siamese("monitor", "mine.yaml", *WEEK, "--json")
    assert json.loads(told.stdout)["period"]["judged_version"] == 5


def test_no_reference_is_refused_by_name(place):
    record(place, version=4)
    told = siamese("monitor", "mine.yaml", *WEEK)
    assert told.exit_code == 2
    assert "version 4: no run of mine" in told.stderr
    assert "--reference FOLDER" in told.stderr


def test_a_named_reference(place):
    record(place, version=4)
    folder = place / "runs/mine/pipeline/Judge/judgement/1"
    assert siamese("monitor", "mine.yaml", *WEEK, "--reference", folder).exit_code == 0
    refused = siamese("monitor", "mine.yaml", *WEEK, "--reference", place)
    assert "holds no reference.npz" in refused.stderr


def test_no_store_is_refused_by_name(place):
    told = siamese("monitor", "mine.yaml")
    assert told.exit_code == 2
    assert "no traffic store" in told.stderr


def test_a_page_that_cannot_be_written_is_refused_first(place):
    told = siamese("monitor", "mine.yaml", "--html", "no/such/m.html")
    assert told.exit_code == 2
    assert "--html no/such/m.html" in told.stderr


def test_several_models_need_a_name(place):
    record(place)
    with TrafficStore(place / "runs/mine/traffic") as store:
        store.add_answers([_odd("c0")._replace(model="others")])
    told = siamese("monitor", "mine.yaml", *WEEK)
    assert "choose one by --model" in told.stderr
    assert siamese("monitor", "mine.yaml", *WEEK, "--model", "parts").exit_code == 0
