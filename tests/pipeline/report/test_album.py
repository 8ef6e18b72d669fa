"""The images of a report: the map, the gallery, and the page's data for its script."""

import json
import re

import numpy as np
import pytest
from sample_images import encoded, picture

from pipeline.report import album
from pipeline.report.points import Points
from pipeline.report.report import Findings
from tests.pipeline.report.findings import judged_with_outcomes, summary
from tests.pipeline.report.page import written


@pytest.fixture(scope="module")
def found():
    return judged_with_outcomes(spread=0.9)


@pytest.fixture
def points(found):
    """Embeddings of the test images and of two training images of each class."""
    _, outcomes = found
    rng = np.random.default_rng(0)
    trained = [f"c{i % 4}" for i in range(8)]
    labels = [*trained, *(one.label for one in outcomes)]
    places = np.eye(6)[[int(label[1:]) for label in labels]]
    return Points(
        places + rng.normal(scale=0.1, size=places.shape),
        labels,
        ["train"] * 8 + ["test"] * len(outcomes),
        [f"c{i % 4}/s{i}.png" for i in range(8)] + [one.source for one in outcomes],
        [""] * 8 + [one.id for one in outcomes],
    )


def data_of(text):
    [found] = re.findall(r'id="album-data">(.*?)</script>', text, re.S)
    return json.loads(found)


def test_every_image_has_its_place_outcome_and_picture(found, points, tmp_path):
    judgement, outcomes = found
    for number, source in enumerate(points.sources):
        path = tmp_path / source
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encoded(picture(0, number)))
    judgement = judgement.model_copy(update={"root": str(tmp_path)})
    findings = Findings("parts", summary(judgement), judgement, support_root=str(tmp_path),
                        outcomes=outcomes, points=points)  # fmt: skip
    page, text = written(tmp_path, findings)
    shown = data_of(text)
    assert len(shown["images"]) == len(points.labels)
    by_file = {file: (own, split, predicted, uri) for own, split, predicted, file, uri
               in shown["images"]}  # fmt: skip
    for one in outcomes:
        own, split, predicted, uri = by_file[one.source]
        assert shown["classes"][own] == one.label
        assert shown["classes"][predicted] == one.predicted
        assert shown["splits"][split] == "test"
        assert uri.startswith("data:image/webp;base64,")
    assert by_file["c1/s1.png"][2] == -1  # a training image is not judged
    assert all(len(places) == len(points.labels) for places in shown["places"])
    uses = [attrs for attrs in page.all("use") if "data-i" in attrs]
    assert len(uses) == len(points.labels)
    wrong = sum(one.label != one.predicted for one in outcomes)
    assert wrong
    assert sum(attrs["href"] == "#mark-wrong" for attrs in uses) == wrong
    # The errors are drawn above all others.
    assert {attrs["href"] for attrs in uses[-wrong:]} == {"#mark-wrong"}
    assert f"{len(points.labels)} of {len(points.labels)} images have a picture" in page.text


def test_without_embeddings_there_is_a_gallery_but_no_map(found, tmp_path):
    judgement, outcomes = found
    page, text = written(tmp_path, Findings("parts", judgement=judgement, outcomes=outcomes))
    assert len(data_of(text)["images"]) == len(outcomes)
    assert data_of(text)["places"] == []
    ids = {attrs.get("id") for _, attrs in page.tags}
    assert "gallery" in ids
    assert "map" not in ids


def test_names_end_no_script(found, points, tmp_path):
    judgement, outcomes = found
    hostile = "</script><script>alert(1)</script><!--"
    points = points._replace(sources=[hostile] * len(points.sources))
    outcomes = [one.model_copy(update={"source": hostile}) for one in outcomes]
    page, text = written(
        tmp_path, Findings("parts", judgement=judgement, outcomes=outcomes, points=points)
    )
    assert len(page.all("script")) == 2
    assert data_of(text)["images"][0][3] == hostile


def test_of_many_images_errors_come_first_then_each_class_alike(found, points, monkeypatch):
    judgement, outcomes = found
    monkeypatch.setattr(album, "MAX_IMAGES", 12)
    made = album.make_album(judgement, outcomes, points)
    images = json.loads(made.json)["images"]
    assert made.images == len(images) == 12
    wrong = min(12, sum(one.label != one.predicted for one in outcomes))
    assert [own != given for own, _, given, *_ in images[:wrong]] == [True] * wrong


def test_no_images_no_album(found):
    assert album.make_album(found[0], (), None) is None
