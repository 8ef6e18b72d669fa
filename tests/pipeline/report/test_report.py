"""On a judgement of made-up embeddings, with a run around it."""

import re
from datetime import datetime, timezone
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from images import encoded, picture
from judge_views import held_out, support_set

from components.image_example_gen.report import IngestionReport, SetAside
from components.judge.judging import judge
from components.judge.settings import JudgeSettings, Thresholds
from pipeline.config import parse
from pipeline.history import Artifact, Component, Run
from pipeline.report.report import MODEL_CARD, REPORT, Findings, write_report
from pipeline.summary import Summary

HOSTILE = "<script>alert(1)</script>\u202e\"'|`*_[x](http://x.y)\n# {{ 7 * 7 }}\udcff"


class Page(HTMLParser):
    """What a browser would make of a page."""

    VOID = ("meta", "img", "br", "wbr", "link", "input", "hr")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.feed(text)
        assert not [tag for tag in self.open if tag != "li"], "left open"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        while self.open and self.open[-1] == "li" != tag:  # its end may be left out
            self.open.pop()
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def judged(spread=0.4, thresholds=None, **settings):
    images, view = held_out(classes=4, each=10, spread=spread)
    before = held_out(classes=4, each=10, spread=spread * 1.2, seed=5)[1]
    return judge(
        images,
        view,
        {"last blessed model": before},
        np.roll(images.labels, 3),
        Thresholds.model_validate(thresholds or {"auc": 0.5, "worst_class_recall": 0.99}),
        JudgeSettings(**settings),
    ).judgement


@pytest.fixture(scope="module")
def judgement():
    return judged()


def summary(judgement=None, **values):
    uri = "/place/{}".format
    run = Run(
        id="run-7",
        started=datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc),
        components=[
            Component(id="ImageExampleGen", outcome="cached", seconds=1,
                      outputs={"examples": Artifact(uri=uri("examples"), id=1)}),
            Component(id="Trainer", outcome="done", seconds=61.25,
                      inputs={"examples": [uri("examples")], "base": [uri("elsewhere")]},
                      outputs={"model": Artifact(uri=uri("model"), id=2)}),
        ],
    )  # fmt: skip
    found = {
        "name": "parts",
        "started": run.started,
        "run": run,
        "data": IngestionReport(
            root="data", files=63, reencoded=2, expected_classes=["c0", "c1"],
            classes={"c0": {"train": 20, "validation": 6, "test": 5},
                     "c1": {"train": 19, "validation": 6, "test": 5}},
            set_aside=[SetAside(path="c0/broken.png", reason="is cut off or damaged"),
                       SetAside(path="c0/empty.png", reason="is empty")],
            near_duplicates=[["c1/1.png", "c1/2.png"]],
        ),
        "pairs": {"train": {"pairs": 4321}, "validation": {"pairs": 48}, "test": {"pairs": 96}},
        "training": {
            "history": {"loss": [2.0, 1.0, 0.5], "auc": [0.6, 0.8, 0.9],
                        "val_auc": [0.6, 0.7, 0.8], "val_accuracy": [0.3, 0.6, 0.5]},
            "best_epoch": 2, "epochs": 3, "seconds": 12.3, "parameters": 1234567,
            "baselines": {"raw pixels": 0.25}, "hyperparameters": {"margin": 0.75},
        },
        "verdict": judgement and judgement.verdict,
        "metrics": judgement.metrics if judgement else {},
        "serving_root": "serving",
    }  # fmt: skip
    return Summary(**{**found, **values})


def written(folder, findings):
    path = write_report(folder, findings)
    assert path == folder / REPORT
    text = path.read_text(encoding="utf-8")
    return Page(text), text


def number(value):
    return f"{value:.4f}"


def numbers_of(judgement):
    """Of all that both files have to tell."""
    measures = [
        *judgement.metrics.values(),
        *(check.measure for check in judgement.verdict.checks if check.measure),
        *(one.recall for one in judgement.classes),
        *(t.false_accepts for t in judgement.thresholds.values()),
        *(t.false_rejects for t in judgement.thresholds.values()),
        *(m for c in judgement.compared.values() for m in c.differences.values()),
    ]
    for measure in measures:
        yield f"{measure.value:.4f}"
        yield f"{measure.low:.4f} to {measure.high:.4f}"
    for threshold in judgement.thresholds.values():
        yield f"{threshold.value:.4f}"


@pytest.fixture(scope="module")
def whole(judgement, tmp_path_factory):
    """Page, its text, and the model card of a whole run."""
    folder = tmp_path_factory.mktemp("run")
    config = parse({"name": "parts", "data": {"root": "data"}, "seed": 4242})
    found = Findings("parts", summary(judgement), judgement, config)
    page, text = written(folder, found)
    return page, text, (folder / MODEL_CARD).read_text(encoding="utf-8")


def test_tells_all_of_a_run(whole, judgement):
    page, text, _ = whole
    assert page.text.index("Not blessed") < page.text.index("Thresholds")
    for reason in judgement.verdict.reasons:
        assert reason in page.text
    for words in (
        "Run run-7", "epoch 2 of 3", "1,234,567 parameters", "Nothing was pushed",  # training
        "c0/broken.png", "is cut off or damaged", "63 files", "61 are used",  # ingestion
        "39 12 10", "4,321 48 96", "c1/1.png , c1/2.png",  # split
        "seed: 4242", "tensorflow", "61.2 s",  # configuration, versions, lineage
        "ImageExampleGen.examples", "/place/elsewhere", "model #2 /place/model",
    ):  # fmt: skip
        assert words in page.text, words
    assert len(page.all("figure")) >= 3 + 2 + 2 + 2 * len(judgement.mistakes)
    assert text.count('class="plot"') == 3 + 2 + 2
    assert judgement.mistakes
    assert judgement.hard_pairs


def test_both_files_have_the_judgements_numbers(whole, judgement):
    page, _, card = whole
    for value in numbers_of(judgement):
        assert value in page.text, value
        assert value in card, value


def test_mistakes_are_shown_side_by_side(judgement, tmp_path):
    for mistake in judgement.mistakes:
        for one in (mistake.image, mistake.nearest):
            path = tmp_path / "data" / one.source
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(picture(int(one.label[1:]), 0)))
    root = str(tmp_path / "data")
    shown = judgement.model_copy(update={"root": root, "hard_pairs": (), "suspects": ()})
    page, _ = written(tmp_path, Findings("parts", judgement=shown, support_root=root))
    alts = [attrs["alt"] for attrs in page.all("img")]
    assert alts == [
        alt
        for one in judgement.mistakes
        for alt in (
            f"Is, {one.image.source}, of class {one.image.label}",
            f"Nearest, {one.nearest.source}, of class {one.predicted}",
        )
    ]


def test_needs_nothing_but_itself(whole):
    page, text, _ = whole
    assert not {"script", "link", "iframe", "object", "embed", "base"} & {t for t, _ in page.tags}
    for tag, attrs in page.tags:
        for name, value in attrs.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "srcset", "data", "action"):
                assert value.startswith(("data:image/", "#")), (tag, value)
    assert not re.search(r"url\(|@import|https?://", text)


def test_is_accessible(whole):
    page, text, _ = whole
    assert page.all("html")[0]["lang"] == "en"
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for attrs in page.all("a"):
        assert attrs["href"].removeprefix("#") in ids
    for attrs in page.all("svg"):
        assert attrs.get("aria-label") or attrs.get("aria-hidden") == "true"
    for table in re.findall(r"<table.*?</table>", text, re.S):
        assert '<th scope="col"' in table
        assert '<th scope="row"' in table
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("parts", ["judgement alone", "run without a judgement", "nothing"])
def test_what_is_missing_is_left_out_in_words(parts, judgement, tmp_path):
    if parts == "judgement alone":
        page, _ = written(tmp_path, Findings("a model", judgement=judgement))
        assert "A model judged by itself" in page.text
        assert "an exported model was judged" in page.text
        card = (tmp_path / MODEL_CARD).read_text(encoding="utf-8")
        assert all(value in card for value in numbers_of(judgement))
    elif parts == "run without a judgement":
        bare = summary(run=None, data=None, pairs={}, training=None)
        page, _ = written(tmp_path, Findings("parts", bare, None, None))
        assert "No verdict" in page.text
        assert "did not get as far as a training" in page.text
        assert "did not get as far as reading the files" in page.text
        assert not (tmp_path / MODEL_CARD).exists()
    else:
        page, _ = written(tmp_path, Findings("parts"))
        assert "No verdict" in page.text


def test_a_run_that_failed_shows_why_and_what_there_is(judgement, tmp_path):
    failed = summary(failure="too many files\n  a.png <b>", training=None)
    page, text = written(tmp_path, Findings("parts", failed, None))
    assert "✗ Failed" in page.text
    assert "too many files\n  a.png &lt;b&gt;" in text
    assert "c0/broken.png" in page.text
    # It may have been judged before it failed, and must not look blessed.
    good = judged(spread=0.1, thresholds={"auc": 0.5})
    assert good.verdict.outcome == "blessed"
    page, text = written(tmp_path, Findings("parts", failed, good))
    assert "✗ Failed" in page.text
    assert "✓ Blessed" not in page.text
    card = (tmp_path / MODEL_CARD).read_text(encoding="utf-8")
    assert "**Failed**" in card
    assert "judged blessed: every threshold is reached." in card


def test_a_model_that_cannot_be_served_does_not_look_blessed(tmp_path):
    good = judged(spread=0.1, thresholds={"auc": 0.5})
    assert good.verdict.outcome == "blessed"
    run = summary().run
    for id_, properties in (
        ("Judge", {"verdict": "blessed"}),
        ("InfraCheck", {"problem": "no op"}),
    ):
        blessing = Artifact(uri=id_, properties=properties)
        run.components.append(Component(id=id_, outcome="done", outputs={"blessing": blessing}))
    page, _ = written(tmp_path, Findings("parts", summary(good, run=run), good))
    assert "✗ Not blessed" in page.text
    assert "it cannot be served: no op" in page.text
    card = (tmp_path / MODEL_CARD).read_text(encoding="utf-8")
    assert "**Not blessed**: it cannot be served: no op." in card


def test_what_could_not_be_judged_is_said(tmp_path):
    """One image of each of two classes, and no support set of them: hardly anything works."""
    images, view = held_out(classes=2, each=1, first=6, similarity=None)
    view = view._replace(support=support_set(2))
    found = judge(images, view, {}, None, None, JudgeSettings()).judgement
    page, _ = written(tmp_path, Findings("parts", judgement=found))
    assert "no class has two test images" in page.text
    assert "the model compares no pairs" in page.text
    assert "nan" not in page.text


def hostile(judgement):
    """The judgement of classes and files with names that mean harm."""
    text = judgement.model_dump_json()
    safe = HOSTILE.encode("utf-8", "backslashreplace").decode()
    quoted = (
        safe.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    )  # fmt: skip
    return type(judgement).model_validate_json(text.replace("c0", quoted))


def test_what_users_write_is_text(judgement, tmp_path):
    config = parse({"name": "parts", "data": {"root": "data/<script>"}})
    data = summary().data.model_copy(
        update={
            "root": HOSTILE,
            "classes": {HOSTILE: {"train": 1, "validation": 1, "test": 1}},
            "set_aside": [SetAside(path=HOSTILE, reason=HOSTILE)] * 2,
            "near_duplicates": [[HOSTILE, HOSTILE]],
        }
    )
    found = Findings(
        HOSTILE, summary(data=data, failure=HOSTILE), hostile(judgement), config, "data"
    )
    page, text = written(tmp_path, found)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not any(value.startswith("http") for t, a in page.tags for n, value in a.items()
                   if n in ("src", "href"))  # fmt: skip
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in text  # it would turn the writing's direction
    assert "49" not in re.findall(r"# (\S+)", page.text)
    card = (tmp_path / MODEL_CARD).read_text(encoding="utf-8")
    assert "<script" not in card
    assert "\u202e" not in card
    assert "[x](" not in card.replace("\\[x\\](", "")
    rows = [line for line in card.splitlines() if line.startswith("|") and "alert" in line]
    assert rows
    # Nor do they make columns: in each table all rows have as many.
    columns = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert set(columns) <= {7, 5}
    assert "\n# \\{" not in card


def test_all_tables_of_the_card_are_whole(whole):
    _, _, card = whole
    tables = re.findall(r"(?:^\|.*\n)+", card, re.M)
    assert len(tables) >= 5
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1, table
    lines = card.splitlines()
    for i in (i for i, line in enumerate(lines) if i and line.startswith("#")):
        assert (lines[i - 1], lines[i + 1]) == ("", ""), lines[i]


@pytest.fixture(scope="module")
def large():
    """900 classes, 10,000 images; nearly all wrong."""
    rng = np.random.default_rng(0)
    small = judged()
    labels = [f"class number {i:03d}" for i in range(900)]
    one = small.classes[0]
    cells = [
        small.confusion[0].model_copy(
            update={"truth": labels[i], "predicted": labels[j], "images": int(n)}
        )
        for i in range(900)
        for j, n in zip(rng.choice(900, 9, replace=False), rng.integers(1, 4, 9), strict=True)
    ]
    return small.model_copy(
        update={
            "classes": tuple(one.model_copy(update={"label": label}) for label in labels),
            "confusion": tuple(cells),
            "images": 10_000,
            "mistakes": small.mistakes[:1] * 500,
            "hard_pairs": small.hard_pairs[:1] * 500,
            "invalid": {f"class/{i}.png": "no image" for i in range(10_000)},
        }
    )


def test_many_classes_and_images_give_a_usable_page(large, tmp_path):
    path = tmp_path / large.mistakes[0].image.source
    path.parent.mkdir()
    path.write_bytes(encoded(picture(0, 0, size=800), "JPEG", quality=95))
    large = large.model_copy(update={"root": str(tmp_path)})
    data = summary().data.model_copy(
        update={
            "classes": {one.label: {"train": 7, "validation": 2, "test": 2}
                        for one in large.classes},
            "set_aside": [SetAside(path=f"x/{i}.png", reason="is empty") for i in range(3000)],
            "near_duplicates": [[f"x/{i}.png", f"x/{i + 1}.png"] for i in range(3000)],
        }
    )  # fmt: skip
    page, text = written(tmp_path, Findings("parts", summary(data=data), large))
    assert len(text) < 4_000_000
    assert "matrix would be too large" in page.text
    assert 'class="matrix"' not in text
    assert "880 classes more" in page.text
    assert text.count("class number 899") >= 2
    assert "and 2800 more" in page.text
    assert "and 9800 more" in page.text
    assert len(page.all("img")) <= 20 * 4
    assert len(page.tags) < 40_000


def test_more_classes_than_a_page_can_hold(large, tmp_path):
    one = large.classes[0]
    classes = tuple(one.model_copy(update={"label": f"c{i}"}) for i in range(5000))
    page, text = written(
        tmp_path, Findings("parts", judgement=large.model_copy(update={"classes": classes}))
    )
    assert "4000 further classes" in page.text
    assert len(text) < 4_000_000


def test_an_equal_threshold_calls_a_pair_the_same(judgement, tmp_path):
    same = judgement.thresholds["same"].value
    pair = judgement.hard_pairs[0].model_copy(update={"similarity": same, "same": True})
    for at, words in ((same, "✓ told rightly"), (np.nextafter(same, 0), "✗ told wrongly")):
        one = pair.model_copy(update={"similarity": float(at)})
        found = judgement.model_copy(update={"hard_pairs": (one,)})
        page, _ = written(tmp_path, Findings("parts", judgement=found))
        assert words in page.text


def test_the_confusion_matrix_counts_images(judgement, tmp_path):
    _, text = written(tmp_path, Findings("parts", judgement=judgement))
    [matrix] = re.findall(r'<table class="matrix">.*?</table>', text, re.S)
    rows = [re.findall(r"<td[^>]*>(\d+)</td>", row) for row in matrix.split("<tr>")[2:]]
    cells = {(c.truth, c.predicted): c.images for c in judgement.confusion}
    labels = sorted(one.label for one in judgement.classes)
    assert [[int(n) for n in row] for row in rows] == [
        [cells.get((truth, given), 0) for given in labels] for truth in labels
    ]
