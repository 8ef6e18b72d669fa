"""Situations, and what the default gate says of them: the table in docs/gate.md."""

import re
from pathlib import Path

import numpy as np
import pytest
from judge_views import held_out

from judging.gate import LAST_BLESSED, PRETRAINED_ENCODER
from judging.judge import judge
from judging.settings import JudgeSettings, Thresholds
from pipeline.runs.outcome import Outcome

DOCS = Path(__file__).resolve().parents[2] / "docs" / "gate.md"
SETTINGS = JudgeSettings(episodes={"count": 20})


def model(classes=4, each=12, spread=0.15, **view):
    return held_out(classes=classes, each=each, spread=spread, **view)


def answering(answers, classes=4, each=12):
    """Images, and a model that gives the image `i` of each class the class `answers(c, i)`."""
    images, view = model(classes, each)
    directions = np.eye(12)
    rows = [directions[answers(c, i)] for c in range(classes) for i in range(each)]
    noise = np.random.default_rng(0).normal(scale=0.1, size=view.embeddings.shape)
    return images, view._replace(embeddings=(np.array(rows) + noise).astype("float32"))


def compared(images, view, name, other, **changes):
    return images, view, {name: other._replace(**changes)}, None


def good():
    return model()


def noise():
    images, view = model()
    return images, view._replace(embeddings=np.random.default_rng(1).normal(size=(48, 12)))


def collapsed():
    images, view = model()
    same = view.support._replace(embeddings=np.ones_like(view.support.embeddings))
    return images, view._replace(embeddings=np.ones_like(view.embeddings), support=same)


def shuffled():
    images, view = model()
    return images._replace(labels=np.random.default_rng(0).permutation(images.labels)), view


def one_answer():
    return answering(lambda c, i: 0)


def one_class_lost():
    return answering(lambda c, i: 1 if c == 0 else c)


def half_of_the_classes_lost():
    return answering(lambda c, i: c % 2)


def one_class_half_lost():
    return answering(lambda c, i: 1 if c == 0 and i < 6 else c)


def copies():
    images, view = model(2, 3)
    of = np.repeat(np.arange(6), 4)
    ids = np.array([f"{i:04d}" for i in range(24)])
    copied = images._replace(ids=ids, labels=images.labels[of], sources=ids, groups=of)
    return copied, view._replace(embeddings=view.embeddings[of])


def patients():
    """Six views of each of six patients; the model knows the patients."""
    images, view = answering(lambda c, i: [0, 1, 1, 0, 1, 1][c * 3 + i // 6], 2, 18)
    return images._replace(groups=np.arange(36) // 6), view


def few():
    return model(2, 3)


def four_a_class():
    return model(4, 4)


def two_classes_of_four():
    return model(2, 4)


def four_a_class_one_wrong():
    return answering(lambda c, i: 1 if (c, i) == (0, 0) else c, 4, 4)


def all_alike_to_the_pair_head():
    images, view = model()
    return images, view._replace(similarity=lambda left, right: np.full(len(left), 0.5))


def lost_to_raw_pixels():
    images, view = answering(lambda c, i: (c + 1) % 4 if i < 3 else c)
    return images, view, {}, images.labels


def maybe_lost_to_raw_pixels():
    images, view = answering(lambda c, i: (c + 1) % 4 if (c, i) == (0, 0) else c)
    return images, view, {}, images.labels


def lost_to_the_encoder_before_training():
    images, view = answering(lambda c, i: (c + 1) % 4 if i < 3 else c)
    return compared(images, view, PRETRAINED_ENCODER, model()[1], similarity=None)


def as_good_as_the_last_blessed():
    return compared(*model(), LAST_BLESSED, model()[1])


def worse_than_the_last_blessed():
    images, view = model(spread=0.28)
    return compared(images, view, LAST_BLESSED, model(spread=0.05)[1])


def trained_on_most_of_the_test():
    return compared(*model(), LAST_BLESSED, model()[1], trained_on=np.arange(48) % 12 > 1)


def trained_on_all_of_the_test():
    return compared(*model(), LAST_BLESSED, model()[1], trained_on=np.ones(48, bool))


def smaller_limit_of_the_last_blessed():
    images, view = model()
    before = view.embeddings.copy()
    before[::6] = np.nan
    return compared(images, view, LAST_BLESSED, view, embeddings=before)


def held_out_classes():
    return model(first=6)


B, N, U = Outcome.BLESSED, Outcome.NOT_BLESSED, Outcome.UNDECIDED

SITUATIONS = [
    ("good", good, B),
    ("classes that were held out, good", held_out_classes, B),
    ("four test images a class, all correct", four_a_class, B),
    ("two classes of four test images, all correct", two_classes_of_four, B),
    ("four test images a class, one wrong", four_a_class_one_wrong, U),
    ("two classes of three test images, all correct", few, U),
    ("the same with three copies beside each", copies, U),
    ("noise", noise, N),
    ("collapsed", collapsed, N),
    ("shuffled labels", shuffled, N),
    ("the same class for every image", one_answer, N),
    ("one class lost", one_class_lost, N),
    ("half of the classes lost", half_of_the_classes_lost, N),
    ("half of one class lost", one_class_half_lost, U),
    ("six patients, of which the label says nothing", patients, N),
    ("a pair head that says the same of every pair", all_alike_to_the_pair_head, N),
    ("certainly lost to raw pixels", lost_to_raw_pixels, N),
    ("perhaps lost to raw pixels", maybe_lost_to_raw_pixels, B),
    ("certainly lost to the encoder before training", lost_to_the_encoder_before_training, N),
    ("as good as the last blessed model", as_good_as_the_last_blessed, B),
    ("worse than the last blessed model", worse_than_the_last_blessed, N),
    (
        "the last blessed model was trained on most of the test images",
        trained_on_most_of_the_test,
        U,
    ),
    ("it was trained on all of them", trained_on_all_of_the_test, U),
    ("it does not accept some of them", smaller_limit_of_the_last_blessed, B),
]


def verdict(made):
    images, view, others, raw = (*made(), {}, None)[:4]
    return judge(images, view, others, raw, Thresholds(), SETTINGS).judgement.verdict


def sentence(title, found):
    """The first reason; what a comparison has found comes last."""
    return found.reasons[-1 if re.search("lost to|worse", title) else 0]


@pytest.mark.parametrize(("title", "made", "outcome"), SITUATIONS)
def test_the_default_gate_says(title, made, outcome):
    found = verdict(made)
    assert found.outcome == outcome, (found.reasons, found.checks)
    row = f"| {title} | {outcome.word} | {outcome.exit_code} | {sentence(title, found)} |"
    documented = [line for line in DOCS.read_text().splitlines() if line.startswith(f"| {title} |")]
    assert documented == [row]


def test_copies_counted_as_images_would_be_blessed():
    """What the groups of images are for."""
    images, view = copies()
    counted = images._replace(groups=np.arange(24))
    found = judge(counted, view, {}, None, Thresholds(), SETTINGS).judgement
    assert found.verdict.outcome == "blessed"


def test_no_situation_is_documented_that_is_not_tested():
    text = DOCS.read_text()
    table = text[text.index("| situation |") :].split("\n\n")[0]
    titles = [re.match(r"\| (.*?) \|", line)[1] for line in table.splitlines()[2:]]
    assert titles == [title for title, _, _ in SITUATIONS]
