"""The first screen: a situation, and the sentences that it must show."""

import pytest

from components.image_example_gen.report import ExcludedFile
from images.audit.findings import Audit, Finding
from judging.judgement import Check, Compared, Measure
from pipeline.report.headline import facts, reasons, worries
from pipeline.report.report import Findings
from tests.pipeline.report.findings import judged, summary
from tests.pipeline.report.page import written


def accuracy(value, images=80, low=0.5, high=1.0):
    return Measure(value=value, low=low, high=high, images=images)


@pytest.fixture(scope="module")
def perfect():
    """40 images of 4 classes, all correct, compared with nothing."""
    found = judged(spread=0.01)
    return found.model_copy(update={"compared": {}, "thresholds": {}, "suspects": ()})


def with_classes(judgement, *correct, of=10):
    changed = [
        one.model_copy(update={"recall": accuracy(n / of, of), "images": of})
        for one, n in zip(judgement.classes, correct, strict=True)
    ]
    share = accuracy(sum(correct) / (of * len(correct)), of * len(correct), 0.6, 0.9)
    metrics = {**judgement.metrics, "class_accuracy": share}
    return judgement.model_copy(update={"classes": tuple(changed), "metrics": metrics})


def by_raw_pixels(value):
    return {"raw pixels": Compared(model="", metrics={"class_accuracy": accuracy(value)},
                                   differences={"class_accuracy": accuracy(0.1)})}  # fmt: skip


def texts(judgement, audit=None, data=None):
    return [worry.text for worry in worries(judgement, audit, data)]


def test_the_numbers_that_matter_are_sentences_with_their_images(perfect):
    found = with_classes(perfect, 10, 10, 7, 9).model_copy(update={"compared": by_raw_pixels(0.95)})
    assert [" ".join(fact) for fact in facts(found)] == [
        "90.0 % of 40 test images classified correctly (95 % interval 60.0 to 90.0 %)",
        "7 of 10 test images of class c2, the worst, classified correctly",
        "95.0 % correct by raw pixels, without any training",
    ]
    assert facts(perfect)[1] == ("4 of 4", "classes without an error")


def test_nothing_to_worry_about(perfect):
    assert texts(perfect) == []
    assert texts(None) == []


def test_lost_to_a_reference_method(perfect):
    found = with_classes(perfect, 10, 10, 7, 9)
    for value, words in ((0.95, "better than"), (0.9, "as well as")):
        one = found.model_copy(update={"compared": by_raw_pixels(value)})
        [text] = texts(one)
        assert text.startswith("Raw pixels, without any training, 9")
        assert f"{words} this model, 90.0 %" in text
    assert texts(found.model_copy(update={"compared": by_raw_pixels(0.8)})) == []
    assert texts(perfect.model_copy(update={"compared": by_raw_pixels(1.0)})) == []


def test_fewer_correct_than_by_the_last_blessed_model(perfect):
    worse = Measure(value=-0.05, low=-0.1, high=0.01, images=40)
    before = Compared(model="", metrics={}, differences={"class_accuracy": worse})
    found = perfect.model_copy(update={"compared": {"last blessed model": before}})
    assert texts(found) == ["5.0 points fewer test images correct than by the last blessed model"]


def test_few_images_and_classes_never_recognized(perfect):
    found = with_classes(perfect, 4, 4, 0, 0, of=4).model_copy(update={"images": 16, "groups": 16})
    assert texts(found) == [
        "Only 16 test images: the true accuracy may be anything from 60 to 90 %",
        "4 of 4 classes have fewer than 5 test images, so that one error decides",
        "Classes never recognized: c2 (0 of 4), c3 (0 of 4)",
    ]


def test_findings_of_the_audit_and_excluded_files(perfect):
    findings = [
        Finding(kind=kind, grade=grade, text=text, advice="Do.")
        for kind, grade, text in (
            ("blank", "warning", "2 images are blank"), ("size", "note", "sizes differ"),
            ("shortcut", "warning", "brightness tells classes apart"),
        )
    ]  # fmt: skip
    audit = Audit(root="", files=9, audited=9, classes={}, findings=tuple(findings))
    data = summary().data.model_copy(
        update={"excluded": [ExcludedFile(path="a", reason="is empty")]}
    )
    assert texts(perfect, audit, data) == [
        "Shortcut suspected: brightness tells classes apart",
        "The audit of the images warns: 2 images are blank",
        "1 file was excluded of 63",
    ]


def test_each_worry_leads_to_a_section(tmp_path):
    judgement = judged(spread=1.5)
    page, _ = written(tmp_path, Findings("parts", summary(judgement), judgement))
    found = worries(judgement, None, summary().data)
    assert len(found) >= 3
    ids = {attrs.get("id") for _, attrs in page.tags}
    assert {worry.section for worry in found} <= ids


def test_reasons_name_the_metrics():
    checks = [
        Check(metric="class_accuracy", measure=accuracy(0.75, low=0.7, high=0.8),
              required="at least 0.9", outcome="failed"),
        Check(metric="class_accuracy against raw pixels", measure=accuracy(-0.1, low=-0.2),
              required="at least 0", outcome="failed"),
        Check(metric="auc against the last blessed model", measure=accuracy(-0.1, low=-0.2),
              required="at least -0.02", outcome="failed"),
        Check(metric="recall against the last blessed model", measure=accuracy(-0.1, low=-0.2),
              required="at least 0", outcome="failed"),
        Check(metric="open_set_auc", required="at least 0.9", outcome="undecided", note="no pairs"),
    ]  # fmt: skip
    told = [check.sentence for check in checks]
    others = ["InfraCheck failed: no op", "class_accuracy cannot be compared"]
    assert reasons([*told, *others], checks) == [
        "Accuracy of the classes 75.0 % (70.0 to 80.0 %), required at least 0.9",
        "Accuracy of the classes against raw pixels -10.0 points (-20.0 to +100.0), "
        "required at least 0",
        "AUC of the pairs against the last blessed model -0.100 (-0.200 to +1.000), required "
        "at least -0.02",
        "Recall of the pairs against the last blessed model -10.0 points (-20.0 to +100.0), "
        "required at least 0",
        "AUC, known or unknown: no pairs",
        *others,
    ]
