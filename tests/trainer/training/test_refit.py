"""Training again, once the epoch is chosen, on the validation images too (`training.refit`)."""

import builtins
import shutil

import numpy as np
import pytest
import tensorflow as tf
from pair_files import transformed, write_blocks

from images.bit_depth import encode
from records.pair_sampling import random_partners
from trainer.settings import Model, Training
from trainer.training import fit
from trainer.training.embedder import embedder
from trainer.training.images import held_out, scan
from trainer.training.refit_blocks import write_blocks_like

pytestmark = pytest.mark.timeout(300)


def train(data, backbone, folder, pays=lambda _: True, **settings):
    return fit.train(
        Model(backbone=backbone, embedding_size=6),
        Training(**{"epochs": 4, "learning_rate": 0.05, "refit": True, **settings}),
        16,
        [str(data / "train.tfrecord")],
        [str(data / "validation.tfrecord")],
        folder,
        pays=pays,
    )


def weights(model):
    return [np.array(w) for w in model.get_weights()]


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


@pytest.fixture(scope="module")
def first(data, tiny_backbone, tmp_path_factory):
    return train(data, tiny_backbone, tmp_path_factory.mktemp("first"), refit=False)


@pytest.fixture(scope="module")
def refitted(data, tiny_backbone, tmp_path_factory):
    return train(data, tiny_backbone, tmp_path_factory.mktemp("refit"))


def test_it_learns_from_both_splits_as_often(data, tmp_path):
    train_files, validation = [str(data / "train.tfrecord")], [str(data / "validation.tfrecord")]
    blocks, images = scan(train_files), held_out(validation, 16).images
    found = scan([write_blocks_like(blocks, images, tmp_path / "v.tfrecord", seed=0)])
    assert found.members == scan(validation).members
    assert found.content_hashes == scan(validation).content_hashes
    assert (found.images, found.blocks, found.pairs) == (blocks.images, blocks.blocks, blocks.pairs)
    assert found.most_images == blocks.most_images
    again = held_out([str(tmp_path / "v.tfrecord")], 16).images
    order = [again.ids.index(one) for one in images.ids]
    np.testing.assert_array_equal(again.pixels[order], images.pixels)
    assert [again.groups[i] for i in order] == images.groups


def test_plain_pairs_stay_plain_pairs(data, tmp_path):
    records = [transformed(label, number) for label in range(3) for number in range(4)]
    pairs = random_partners([b"%d" % (i // 4) for i in range(12)], 2, seed=0)
    blocks = scan([write_blocks(tmp_path / "t.tfrecord", records, pairs)])
    images = held_out([str(data / "validation.tfrecord")], 16).images
    found = scan([write_blocks_like(blocks, images, tmp_path / "v.tfrecord", seed=0)])
    assert found.most_images == 2
    assert found.images / 18 == blocks.images / 12
    assert len(found.content_hashes) == 18


def test_the_chosen_epoch_and_the_thresholds_stay(data, first, refitted, capsys):
    assert not equal(first.model.encoder, refitted.model.encoder)
    summary = dict(refitted.summary)
    assert summary.pop("refit") == {"train": 18, "validation": 18}
    timed = ("seconds", "history")
    assert {k: v for k, v in summary.items() if k not in timed} == {
        k: v for k, v in first.summary.items() if k not in timed
    }
    assert refitted.thresholds == first.thresholds
    left, right = first.support_embeddings[:3], first.support_embeddings[3:6]
    np.testing.assert_array_equal(
        refitted.model.similarity(left, right), first.model.similarity(left, right)
    )
    np.testing.assert_array_equal(refitted.training_keys, first.training_keys)


def test_the_support_set_holds_training_images_in_the_new_encoders_words(first, refitted):
    assert refitted.support.ids == first.support.ids
    embeddings = embedder(refitted.model)(refitted.support.pixels)
    np.testing.assert_allclose(refitted.support_embeddings, embeddings, rtol=1e-4, atol=1e-5)
    assert not np.allclose(refitted.support_embeddings, first.support_embeddings, atol=1e-3)


def test_other_validation_images_give_other_weights(data, tiny_backbone, tmp_path):
    """The pixels of one validation image change nothing about the first training."""
    shutil.copy(data / "train.tfrecord", tmp_path)
    blocks = [
        tf.train.Example.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(data / "validation.tfrecord"))
    ]
    grey = encode(np.full((16, 16, 3), 128, "uint8"))
    with tf.io.TFRecordWriter(str(tmp_path / "validation.tfrecord")) as writer:
        for block in blocks:
            feature = block.features.feature
            for place, source in enumerate(feature["source"].bytes_list.value):
                if source == b"class-0/1000.png":
                    feature["image"].bytes_list.value[place] = grey
            writer.write(block.SerializeToString())
    one, other = (
        train(folder, tiny_backbone, tmp_path / name, epochs=1)
        for folder, name in ((data, "one"), (tmp_path, "other"))
    )
    assert one.summary["history"]["loss"] == other.summary["history"]["loss"]
    assert not equal(one.model.encoder, other.model.encoder)


def test_it_reads_no_other_files(data, tiny_backbone, tmp_path, monkeypatch):
    read = set()
    dataset = tf.data.TFRecordDataset

    def noted(files, *arguments, **options):
        read.update(files)
        return dataset(files, *arguments, **options)

    shutil.copy(data / "validation.tfrecord", tmp_path / "test.tfrecord")
    monkeypatch.setattr(tf.data, "TFRecordDataset", noted)
    train(data, tiny_backbone, tmp_path / "t", epochs=1)
    assert read == {
        str(data / "train.tfrecord"), str(data / "validation.tfrecord"),
        str(tmp_path / "t/refit/validation.tfrecord"),
    }  # fmt: skip


def test_after_an_early_stop_it_trains_up_to_the_best_epoch(data, tiny_backbone, tmp_path, capsys):
    settings = {"epochs": 9, "patience": 2, "learning_rate": 1e-12}
    trained = train(
        data, tiny_backbone, tmp_path / "t", frozen_epochs=0, last_blocks_epochs=0, **settings
    )
    best = trained.summary["best_epoch"]
    assert trained.summary["epochs"] == 3
    lines = capsys.readouterr().out.splitlines()
    [line] = [line for line in lines if line.startswith("training again")]
    assert line.endswith(f"on 18 training and 18 validation images, up to epoch {best}")
    assert lines[-1].startswith(f"epoch {best}/{best}: ")
    assert "val_" not in lines[-1]


def test_it_does_not_follow_where_the_first_training_does_not_pay(
    data, tiny_backbone, tmp_path, first
):
    trained = train(data, tiny_backbone, tmp_path / "t", pays=lambda _: False)
    assert "refit" not in trained.summary
    assert equal(trained.model.encoder, first.model.encoder)


@pytest.mark.slow
def test_a_killed_refit_resumes_and_the_first_training_is_not_repeated(
    data, tiny_backbone, tmp_path, monkeypatch
):
    settings = {"epochs": 6, "patience": 2, "keep": "last", "frozen_epochs": 0,
                "last_blocks_epochs": 0}  # fmt: skip
    whole = train(data, tiny_backbone, tmp_path / "whole", **settings)
    assert 1 < whole.summary["epochs"] < 6, "the first training is to be stopped early"

    class Killed(Exception):
        pass

    printed = builtins.print

    def kill(line, **options):
        printed(line, **options)
        if str(line).startswith("training again"):
            monkeypatch.setattr(fit, "Progress", DiesInEpochTwo)

    class DiesInEpochTwo(fit.Progress):
        def on_epoch_begin(self, epoch, logs=None):
            super().on_epoch_begin(epoch, logs)
            if epoch == 1:
                raise Killed

    monkeypatch.setattr(builtins, "print", kill)
    with pytest.raises(Killed):
        train(data, tiny_backbone, tmp_path / "t", **settings)
    monkeypatch.undo()
    trained = train(data, tiny_backbone, tmp_path / "t", **settings)
    assert trained.summary["resumed_at"] == trained.summary["epochs"] == whole.summary["epochs"]
    assert trained.thresholds.scored_by == whole.thresholds.scored_by
    assert trained.thresholds[:3] == pytest.approx(whole.thresholds[:3], rel=1e-4)
    for a, b in zip(weights(trained.model), weights(whole.model), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_head_that_compares_pairs_is_trained_again_too(data, tiny_backbone, tmp_path):
    trained = train(data, tiny_backbone, tmp_path / "t", loss="binary_crossentropy", epochs=2)
    assert trained.summary["refit"]
    assert trained.model.head is not None
