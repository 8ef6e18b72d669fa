"""What `siamese gate` prints and writes beside its verdict."""

import json
from xml.etree import ElementTree

from judged_model import LABELS, JudgedModel, write_images
from markdown_it import MarkdownIt

from components.judge.judgement_files import (
    read_image_outcomes,
    read_judgement,
    read_pair_outcomes,
)  # fmt: skip
from tests.pipeline.commands.gate.gate import BLESSED, NOT_BLESSED, gate, gate_model


def test_json_is_all_there_is_on_the_output(models, place):
    write_images(place / "labelled")
    found = json.loads(gate_model(BLESSED, models, "--json"))
    assert found["outcome"] == "blessed"
    assert found["reasons"][0] == "every threshold is reached"
    assert set(found["metrics"]) >= {"auc", "class_accuracy"}


def test_files_are_written_whatever_the_verdict(models, place):
    write_images(place / "labelled", labels=reversed(LABELS))
    gate_model(NOT_BLESSED, models, "--junit", "gate.xml", "--markdown", "gate.md")
    assert ElementTree.parse("gate.xml").getroot().get("failures") == "3"
    assert "Not blessed" in (place / "gate.md").read_text()


def test_labels_of_any_kind_survive_in_markdown(models, place):
    labels = ("da|rk `x` <b>*y*", "light @somebody [z](z.z) #1 _$z$_")
    JudgedModel(labels=labels).save(place / "model")
    write_images(place / "labelled", labels=labels)
    (place / "labelled" / labels[0] / "ba|d`.png").write_bytes(b"")
    told = gate_model(BLESSED, models, "--markdown", "-", model=place / "model")
    html = MarkdownIt("commonmark").enable("table").render(told)
    for label in ("da|rk `x` &lt;b&gt;*y*", labels[1]):
        assert f"<td><code>{label}</code></td>" in html
    assert "ba|d`.png</code>: is empty" in html
    assert "Blessed" in html.splitlines()[0]


def test_the_judgement_can_be_kept(models, place):
    write_images(place / "labelled")
    gate_model(BLESSED, models, "--keep", "kept/here")
    judgement = read_judgement("kept/here")
    assert (judgement.verdict.outcome, judgement.root) == ("blessed", "labelled")
    ids = [line.id for line in read_image_outcomes("kept/here")]
    assert len(ids) == 20
    assert ids == sorted(ids)  # as PairGen and the Judge have them, so that pairs are the same
    assert len(list(read_pair_outcomes("kept/here"))) == sum(judgement.pairs.values())
    gate(BLESSED, "kept/here")
