"""The report and the model card of a whole run; its judgement is of made-up embeddings."""

import base64
import hashlib
import re
from itertools import pairwise

import numpy as np
from sample_images import encoded, picture

from judging.score_choice import ScoreChoice
from pipeline.report.headline import reasons
from pipeline.report.report import MODEL_CARD, Findings
from tests.pipeline.report.findings import judged, numbers_of, shown, summary
from tests.pipeline.report.page import written


def test_tells_all_of_a_run(whole, judgement):
    page, text, _ = whole
    assert page.text.index("Not blessed") < page.text.index("Required")
    for reason in reasons(judgement.verdict.reasons, judgement.verdict.checks):
        assert reason in page.text
    for words in (
        "Run run-7", "epoch 2 of 3", "Parameters: 1,234,567", "Not pushed",  # training
        "c0/broken.png", "is cut off or damaged", "63 files: 61 used, 2 excluded",  # ingestion
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


def test_which_images_a_comparison_rests_on(tmp_path):
    seen = np.arange(40) % 4 == 0
    some = judged(trained_on=seen)
    compared = some.compared["last blessed model"]
    assert compared.left_out == 10
    page, _ = written(tmp_path, Findings("parts", judgement=some))
    card = (tmp_path / MODEL_CARD).read_text(encoding="utf-8")
    limit = "Compared on 30 of 40 test images: the last blessed model was trained on the others."
    assert limit in page.text
    assert limit in card
    for value in numbers_of(some):
        assert value in page.text
        assert value in card
    for metric, own in compared.own.items():
        values = shown(own, metric), shown(compared.metrics[metric], metric)
        assert f"this model on those images: {values[0]}" in page.text
        assert f"(`{metric}`) | {values[0]} | {values[1]} |" in card
    # Where none is left there is no table, but a reason.
    page, _ = written(tmp_path, Findings("parts", judgement=judged(trained_on=seen >= 0)))
    assert "Compared on 0 of 40 test images: the last blessed" in page.text


def test_errors_are_shown_beside_their_nearest_image(judgement, tmp_path):
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
            f"True class, {one.image.source}, class {one.image.label}",
            f"Nearest, {one.nearest.source}, class {one.predicted}",
        )
    ]


def test_an_equal_threshold_calls_a_pair_the_same(judgement, tmp_path):
    same = judgement.thresholds["same"].value
    pair = judgement.hard_pairs[0].model_copy(update={"similarity": same, "same": True})
    for at, words in ((same, "✓ correct"), (np.nextafter(same, 0), "✗ incorrect")):
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


def test_needs_nothing_but_itself(whole):
    page, text, _ = whole
    assert not {"link", "iframe", "object", "embed", "base"} & {t for t, _ in page.tags}
    # One script, the page's own; the browser runs no other.
    [script] = re.findall("<script>(.*?)</script>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert "fetch(" not in script
    for tag, attrs in page.tags:
        for name, value in attrs.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "srcset", "data", "action"):
                assert value.startswith(("data:image/", "data:text/csv", "#")), (tag, value)
    assert not re.search(r"url\(|@import|https?://", text)


def test_sentences_are_apart(whole):
    """A template's block at the end of a line takes the line break with it."""
    _, text, card = whole
    words = re.sub(r"<(script|style|code|pre)\b.*?</\1>|<[^>]+>", "", text, flags=re.S)
    assert not re.findall(r"\w+[.;:,][A-Z]\w+", words + card)


def test_is_accessible(whole):
    page, text, _ = whole
    assert page.all("html")[0]["lang"] == "en"
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for attrs in page.all("a"):
        assert "download" in attrs or attrs["href"].removeprefix("#") in ids
    for attrs in page.all("svg"):
        assert attrs.get("aria-label") or attrs.get("aria-hidden") == "true"
    for table in re.findall(r"<table.*?</table>", text, re.S):
        assert '<th scope="col"' in table
        assert '<th scope="row"' in table
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_all_tables_of_the_card_are_whole(whole):
    _, _, card = whole
    tables = re.findall(r"(?:^\|.*\n)+", card, re.M)
    assert len(tables) >= 5
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1, table
    lines = card.splitlines()
    for i in (i for i, line in enumerate(lines) if i and line.startswith("#")):
        assert (lines[i - 1], lines[i + 1]) == ("", ""), lines[i]


def test_a_frozen_encoder_has_a_recipe_and_no_epochs(judgement, tmp_path):
    training = {
        "epochs": 0, "best_epoch": 0, "history": {}, "reference_methods": {}, "hyperparameters": {},
        "score": ScoreChoice("cosine", {"cosine": 0.9, "margin": 0.8}).summary(),
        "recipe": {
            "name": "frozen_encoder", "reason": "97.5% of 40 images are right", "images": 40,
            "chosen": "ridge", "accuracy": 0.975,
            "candidates": [{"name": "ridge", "accuracy": 0.975, "auc": 0.99},
                           {"name": "fine-tuned", "accuracy": 0.9, "auc": float("nan")}],
        },
    }  # fmt: skip
    page, _ = written(tmp_path, Findings("parts", summary(judgement, training=training), judgement))
    assert "Recipe: frozen encoder; 97.5% of 40 images are right." in page.text
    assert training["score"]["sentence"] in page.text
    assert "ridge (chosen) 97.5 % 0.990 fine-tuned 90.0 % \N{EN DASH}" in page.text
    assert "epoch 0" not in page.text
    card = (tmp_path / MODEL_CARD).read_text(encoding="utf-8")
    assert "a frozen encoder with a fitted head (ridge)" in card


def test_a_refit_names_its_images(judgement, tmp_path):
    training = {**summary(judgement).training, "refit": {"train": 39, "validation": 12}}
    page, _ = written(tmp_path, Findings("parts", summary(judgement, training=training), judgement))
    assert "validation images. It was then trained again on 39 training and 12" in page.text
    card = (tmp_path / MODEL_CARD).read_text(encoding="utf-8")
    assert "trained again on 39 training and 12 validation images" in card


def test_what_thresholds_cost(tmp_path):
    found = judged(costs={"missed": 10, "false_alarm": 1})
    page, _ = written(tmp_path, Findings("parts", judgement=found))
    card = (tmp_path / MODEL_CARD).read_text(encoding="utf-8")
    assert set(found.costs) == {"same", "known"}
    for one in found.costs.values():
        assert f"{one.own.cost.value:.3g} {one.own.cost.low:.3g} to" in page.text
        cheapest = one.cheapest
        assert f"threshold {cheapest.threshold.value:.3f}; on others" in page.text
        assert f"{cheapest.cost.value:.3g} ({cheapest.cost.low:.3g} to" in card
