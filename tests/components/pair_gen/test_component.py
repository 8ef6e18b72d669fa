"""The component's executor on files, read back as the Trainer and the Evaluator read them."""

import json

import numpy as np
import pytest
import tensorflow as tf
from pair_gen_here import run_pair_gen
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts

from judging.metrics.pairs import draw_within_folds
from judging.views import HeldOutImages, PairSettings
from pipeline.runs.launch import explain
from records import features
from records.example import make_example

SETTINGS = {
    "sampling": "class_balanced",
    "classes_per_block": 2,
    "images_per_class": 3,
    "block_size": 4,
    "partners": 3,
    "passes": 2,
    "held_out_partners": 4,
    "held_out_max_images": 100,
    "seed": 0,
    "folds": 0,
    "code": "",
}
SIZES = {features.TRAIN: 6, features.VALIDATION: 4, features.TEST: 3}
CLASSES = (b"cat", b"dog", b"\xc3\xa9tude")


def image(split, label, number, **changed):
    name = b"%s-%s-%d" % (split.encode(), label, number)
    pixels = np.full((2, 2, 3), sum(name) % 256, np.uint8)
    return {
        features.PIXELS: tf.io.serialize_tensor(pixels).numpy(),
        features.LABEL: label,
        features.SOURCE: label + b"/" + name + b".png",
        features.CONTENT_HASH: b"hash of " + name,
        features.IMAGE_ID: b"id of " + name,
        features.GROUP: b"group of " + name,
        **changed,
    }


def images():
    return {
        split: [image(split, label, i) for label in CLASSES for i in range(size)]
        for split, size in SIZES.items()
    }


def serialized(values):
    columns = {name: [value] for name, value in values.items() if name != features.FOLD}
    numbers = {features.FOLD: [values.get(features.FOLD, features.NO_FOLD)]}
    return make_example(columns, numbers).SerializeToString()


def pair_gen(folder, by_split, **settings):
    """The output artifact of a run of the executor."""
    examples, pairs = standard_artifacts.Examples(), standard_artifacts.Examples()
    examples.uri, pairs.uri = str(folder / "transformed"), str(folder / "pairs")
    examples.split_names = artifact_utils.encode_split_names(list(by_split))
    for split, records in by_split.items():
        below = folder / "transformed" / f"Split-{split}"
        below.mkdir(parents=True)
        half = len(records) // 2
        for number, part in enumerate((records[:half], records[half:])):
            name = str(below / f"transformed_examples-0000{number}-of-00002.gz")
            with tf.io.TFRecordWriter(name, options="GZIP") as writer:
                for record in part:
                    writer.write(serialized(record))
    run_pair_gen(examples, pairs, {**SETTINGS, **settings})
    return pairs


def files(pairs, split):
    return tf.io.gfile.glob(artifact_utils.get_split_uri([pairs], split) + "/*")


def blocks(pairs, split):
    dataset = tf.data.TFRecordDataset(files(pairs, split))
    return [
        {
            name: list(feature.bytes_list.value or feature.int64_list.value)
            for name, feature in tf.train.Example.FromString(record).features.feature.items()
        }
        for record in dataset.as_numpy_iterator()
    ]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return pair_gen(tmp_path_factory.mktemp("pairs"), images())


def test_artifact_can_be_read_by_standard_components(pairs):
    assert artifact_utils.decode_split_names(pairs.split_names) == list(features.SPLITS)
    assert examples_utils.get_payload_format(pairs) == example_gen_pb2.FORMAT_TF_EXAMPLE


@pytest.mark.parametrize("split", features.SPLITS)
def test_blocks_hold_the_images_of_their_split(pairs, split):
    by_id = {one[features.IMAGE_ID]: one for one in images()[split]}
    found = blocks(pairs, split)
    assert {image_id for block in found for image_id in block[features.IMAGE_ID]} == set(by_id)
    for block in found:
        expected = [by_id[image_id] for image_id in block[features.IMAGE_ID]]
        for name in (features.LABEL, features.SOURCE):
            assert block[name] == [one[name] for one in expected]
        for encoded, one in zip(block[features.IMAGE], expected, strict=True):
            pixels = tf.io.parse_tensor(one[features.PIXELS], tf.uint8)
            np.testing.assert_array_equal(tf.io.decode_png(encoded), pixels)
        labels = block[features.LABEL]
        ends = zip(block[features.LEFT], block[features.RIGHT], strict=True)
        assert block[features.TARGET] == [int(labels[a] == labels[b]) for a, b in ends]


def test_training_blocks_are_ways_by_shots(pairs):
    assert {len(block[features.IMAGE_ID]) for block in blocks(pairs, features.TRAIN)} == {6}


@pytest.mark.parametrize("split", [features.VALIDATION, features.TEST])
def test_held_out_splits_hold_plain_pairs_half_of_them_same(pairs, split):
    found = blocks(pairs, split)
    assert {len(block[features.IMAGE_ID]) for block in found} == {2}
    assert {len(block[features.TARGET]) for block in found} == {1}
    same = sum(block[features.TARGET][0] for block in found)
    assert same == len(found) / 2 == len(CLASSES) * SIZES[split]


@pytest.mark.parametrize("split", features.SPLITS)
def test_counts(pairs, split):
    found = blocks(pairs, split)
    with open(f"{pairs.uri}/counts/{split}.json", encoding="utf-8") as file:
        assert json.load(file) == {
            "blocks": len(found),
            "pairs": sum(len(block[features.TARGET]) for block in found),
            "same": sum(sum(block[features.TARGET]) for block in found),
        }


def test_images_in_another_order_make_the_same_blocks(pairs, tmp_path):
    other = pair_gen(tmp_path, {split: records[::-1] for split, records in images().items()})

    def content(artifact):
        return sorted(sorted(block.items()) for block in blocks(artifact, features.TRAIN))

    assert content(other) == content(pairs)


def test_a_run_again_writes_the_same_bytes(pairs, tmp_path):
    again = pair_gen(tmp_path, images())
    for split in features.SPLITS:
        [one], [other] = files(pairs, split), files(again, split)
        with open(one, "rb") as first, open(other, "rb") as second:
            assert first.read() == second.read()


def test_another_sampling(tmp_path):
    found = blocks(pair_gen(tmp_path, images(), sampling="random_partners"), features.TRAIN)
    assert {len(block[features.IMAGE_ID]) for block in found} == {2}
    assert len(found) == len(CLASSES) * SIZES[features.TRAIN] * SETTINGS["partners"]


@pytest.mark.parametrize("shared", [features.IMAGE_ID, features.CONTENT_HASH, features.GROUP])
def test_an_image_in_two_splits_fails_the_run(tmp_path, shared):
    leaking = images()
    value = leaking[features.TRAIN][0][shared]
    leaking[features.TEST][0][shared] = value
    with pytest.raises(Exception, match="is in two splits") as caught:
        pair_gen(tmp_path, leaking)
    words = explain(caught.value)
    assert words.startswith("the same ")
    assert "cat/train-cat-0.png in split 'train'" in words
    assert "cat/test-cat-0.png in split 'test'" in words


def test_an_image_id_twice_in_a_split_fails_the_run(tmp_path):
    twice = images()
    twice[features.TRAIN].append(
        image(features.TRAIN, b"cat", 0, source=b"copy.png", content_hash=b"another")
    )
    with pytest.raises(Exception, match="twice") as caught:
        pair_gen(tmp_path, twice)
    words = explain(caught.value)
    assert words.startswith("split 'train' has the image")
    assert "copy.png" in words
    assert "cat/train-cat-0.png" in words


def test_a_split_of_one_class_fails_the_run(tmp_path):
    by_split = images()
    by_split[features.TEST] = by_split[features.TEST][: SIZES[features.TEST]]
    with pytest.raises(Exception, match="no pair of different classes") as caught:
        pair_gen(tmp_path, by_split)
    assert explain(caught.value).startswith("split 'test': 3 images of 1 class")


def test_held_out_pairs_are_of_two_groups(tmp_path):
    by_split = images()
    for split, records in by_split.items():
        for number, record in enumerate(records):  # neighbours, of one class or two
            record[features.GROUP] = b"%s group %d" % (split.encode(), number // 2)
    found = pair_gen(tmp_path, by_split)
    groups = {r[features.IMAGE_ID]: r[features.GROUP] for s in by_split.values() for r in s}
    for split in (features.VALIDATION, features.TEST):
        pairs = [[groups[i] for i in block[features.IMAGE_ID]] for block in blocks(found, split)]
        assert pairs
        assert all(left != right for left, right in pairs)


def test_a_held_out_split_whose_classes_have_a_group_each_fails_the_run(tmp_path):
    by_split = images()
    for record in by_split[features.TEST]:
        record[features.GROUP] = b"test group of " + record[features.LABEL]
    with pytest.raises(Exception, match="no two images of one class") as caught:
        pair_gen(tmp_path, by_split)
    assert explain(caught.value).startswith("split 'test' has no two images of one class and of")


def in_folds(folds=3, **changed):
    """Images that are all learned from; each fold has one image of each class at least."""
    records = images()[features.TRAIN]
    for number, record in enumerate(records):
        record[features.FOLD] = number % SIZES[features.TRAIN] % folds
    records[0] |= changed
    return {features.TRAIN: records}


def test_with_folds_images_are_learned_from_and_judged_in_pairs_of_one_fold(tmp_path):
    by_split = in_folds()
    pairs = pair_gen(tmp_path, by_split, folds=3)
    assert artifact_utils.decode_split_names(pairs.split_names) == [features.TRAIN, features.TEST]
    folds = {one[features.IMAGE_ID]: one[features.FOLD] for one in by_split[features.TRAIN]}
    learned, judged = (blocks(pairs, split) for split in (features.TRAIN, features.TEST))
    assert {i for block in learned for i in block[features.IMAGE_ID]} == set(folds)
    assert {i for block in judged for i in block[features.IMAGE_ID]} == set(folds)
    for block in [*learned, *judged]:
        assert block[features.FOLD] == [folds[i] for i in block[features.IMAGE_ID]]
    assert all(len(set(block[features.FOLD])) == 1 for block in judged)
    assert sum(block[features.TARGET][0] for block in judged) == len(judged) / 2


def test_the_judge_draws_the_same_pairs_of_a_fold(tmp_path):
    by_split = in_folds()
    judged = blocks(pair_gen(tmp_path, by_split, folds=3), features.TEST)
    ordered = sorted(by_split[features.TRAIN], key=lambda one: one[features.IMAGE_ID])
    names, labels, folds = (
        np.array([one[name] for one in ordered])
        for name in (features.IMAGE_ID, features.LABEL, features.FOLD)
    )
    held = HeldOutImages(
        names,
        np.array([one.decode() for one in labels.tolist()]),
        names,
        np.arange(len(names)),
        folds,
    )
    drawn = draw_within_folds(
        held, PairSettings(SETTINGS["held_out_partners"], 100, SETTINGS["seed"])
    )
    expected = {(names[a], names[b]) for a, b in zip(drawn.left, drawn.right, strict=True)}
    assert {tuple(block[features.IMAGE_ID]) for block in judged} == expected


@pytest.mark.parametrize("shared", [features.CONTENT_HASH, features.GROUP])
def test_content_in_two_folds_fails_the_run(tmp_path, shared):
    by_split = in_folds(**{shared: image(features.TRAIN, b"dog", 1)[shared]})
    with pytest.raises(Exception, match="is in two folds") as caught:
        pair_gen(tmp_path, by_split, folds=3)
    words = explain(caught.value)
    assert "cat/train-cat-0.png in fold 0" in words
    assert "dog/train-dog-1.png in fold 1" in words


def test_folds_without_a_pair_of_both_kinds_fail_the_run(tmp_path):
    with pytest.raises(Exception, match="split 'test' has no two images of one class"):
        pair_gen(tmp_path, in_folds(folds=6), folds=6)


def test_an_unknown_split_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"splits \['holdout'\] are none of train, validation"):
        pair_gen(tmp_path, {"holdout": images()[features.TEST]})


def test_an_unknown_sampling_is_named(tmp_path):
    with pytest.raises(ValueError, match="sampling 'triplets' is none of class_balanced"):
        pair_gen(tmp_path, images(), sampling="triplets")
