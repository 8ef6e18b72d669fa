"""A model that was trained on shuffled labels is not blessed, even by lenient thresholds."""

import keras
import numpy as np
import pytest
from pair_files import transformed, write_blocks

from judging.classifier import Support
from judging.judge import judge
from judging.settings import Change, JudgeSettings, Thresholds
from judging.views import HeldOutImages, View
from records import features
from records.pair_sampling import class_balanced, held_out_pairs
from trainer.settings import Model, Training
from trainer.training.embedder import embedder
from trainer.training.fit import train
from trainer.training.images import held_out

pytestmark = pytest.mark.slow

CLASSES = 4
LENIENT = Thresholds(auc=0.0, class_accuracy=None, worst_class_recall=None, change=Change(auc=None))
"""Requires only to be better than chance."""


def write_splits(folder, seed):
    """Write blocks and pairs of images with shuffled labels; seed None: the correct ones."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    files = {}
    for split, start, each in (("train", 0, 8), ("validation", 100, 5), ("test", 200, 15)):
        images = [(c, n) for c in range(CLASSES) for n in range(start, start + each)]
        labels = [f"class-{c}" for c, _ in images]
        if seed is not None:
            labels = rng.permutation(labels).tolist()
        records = [transformed(c, n) for c, n in images]
        for record, label in zip(records, labels, strict=True):
            record.features.feature[features.LABEL].bytes_list.value[:] = [label.encode()]
        names = [label.encode() for label in labels]
        blocks = (
            class_balanced(names, CLASSES, 4, 4, seed=0)
            if split == "train"
            else held_out_pairs(names, 8, 100, seed=0)
        )
        files[split] = [write_blocks(folder / f"{split}.tfrecord", records, blocks)]
    return files


def judged(folder, backbone, seed):
    files = write_splits(folder, seed)
    trained = train(
        Model(backbone=backbone, embedding_size=8), Training(epochs=2, learning_rate=0.1), 16,
        files["train"], files["validation"], folder / "training",
    )  # fmt: skip
    test = held_out(files["test"], 16).images
    model = trained.model
    view = View(
        "trained", embedder(model)(test.pixels), np.zeros((0, 8), "float32"),
        Support(trained.support_embeddings, trained.support.labels,
                np.array([s.decode() for s in trained.support.sources])),
        lambda left, right: keras.ops.convert_to_numpy(model.similarity(left, right)),
        trained.thresholds.same, trained.thresholds.known,
    )  # fmt: skip
    ids = np.array([i.decode() for i in test.ids])
    images = HeldOutImages(
        ids, test.labels, np.array([s.decode() for s in test.sources]), np.arange(len(ids))
    )
    settings = JudgeSettings()
    return [judge(images, view, {}, None, t, settings).judgement for t in (Thresholds(), LENIENT)]


@pytest.mark.parametrize("seed", range(5))
def test_a_model_of_shuffled_labels_is_not_blessed(tiny_backbone, tmp_path, seed):
    by_default, leniently = judged(tmp_path, tiny_backbone, seed)
    assert by_default.verdict.outcome != "blessed"
    assert leniently.verdict.outcome != "blessed"
    accuracy = leniently.metrics["class_accuracy"]
    assert accuracy.low < leniently.chance < 0.35


def test_the_same_model_with_correct_labels_is_blessed(tiny_backbone, tmp_path):
    _, leniently = judged(tmp_path, tiny_backbone, None)
    assert leniently.verdict.outcome == "blessed"
