import numpy as np
import pytest
import tensorflow as tf

from images.bit_depth import encode
from records import features
from trainer.training.input import training_blocks


def block(pixels, labels, pairs):
    def texts(values):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    def numbers(values):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    return tf.train.Example(
        features=tf.train.Features(
            feature={
                features.IMAGE: texts([encode(p) for p in pixels]),
                features.LABEL: texts(labels),
                features.LEFT: numbers([left for left, _ in pairs]),
                features.RIGHT: numbers([right for _, right in pairs]),
                features.TARGET: numbers([int(labels[a] == labels[b]) for a, b in pairs]),
            }
        )
    ).SerializeToString()


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3)).astype("uint8")


@pytest.fixture
def file(tmp_path, pixels):
    path = str(tmp_path / "pairs.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(block(pixels[:2], [b"a", b"b"], [(0, 1)]))
        writer.write(block(pixels[2:], [b"b", b"a", b"b"], [(0, 2), (1, 2)]))
    return path


def one_epoch(dataset, steps):
    return list(dataset.take(steps))


def test_joined_blocks_keep_their_pairs(file, pixels):
    dataset = training_blocks([file], 4, blocks_per_step=2, seed=0, shuffle_buffer=1)
    [(x, y)] = one_epoch(dataset, 1)
    np.testing.assert_array_equal(x, pixels)
    np.testing.assert_array_equal(y["left"], [0, 2, 3])
    np.testing.assert_array_equal(y["right"], [1, 4, 4])
    np.testing.assert_array_equal(y["target"], [0, 1, 0])
    of_class = y["class"].numpy()
    np.testing.assert_array_equal(
        of_class[y["left"]] == of_class[y["right"]], y["target"].numpy() == 1
    )


def test_one_block_a_step(file):
    dataset = training_blocks([file], 4, blocks_per_step=1, seed=0, shuffle_buffer=1)
    assert [len(x) for x, _ in one_epoch(dataset, 2)] == [2, 3]


def test_two_passes_repeat_an_image_for_each_of_its_pairs(file, pixels):
    dataset = training_blocks([file], 4, 2, seed=0, shuffle_buffer=1, two_passes=True)
    [(x, y)] = one_epoch(dataset, 1)
    np.testing.assert_array_equal(x, pixels[[0, 2, 3, 1, 4, 4]])
    np.testing.assert_array_equal(y["left"], [0, 1, 2])
    np.testing.assert_array_equal(y["right"], [3, 4, 5])
    np.testing.assert_array_equal(y["class"].numpy()[:3] == y["class"].numpy()[3:], y["target"])


@pytest.fixture
def many(tmp_path, pixels):
    path = str(tmp_path / "many.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for i in range(20):
            writer.write(block(pixels[:2] * 0 + np.uint8(i), [b"a", b"a"], [(0, 1)]))
    return path


def order(dataset, steps):
    return [int(x[0, 0, 0, 0]) for x, _ in dataset.take(steps)]


def test_shuffles_by_seed_and_anew_each_epoch(many):
    first, same = (order(training_blocks([many], 4, 1, seed=7), 40) for _ in range(2))
    assert first == same
    assert sorted(first[:20]) == sorted(first[20:]) == list(range(20))
    assert first[:20] != first[20:] != list(range(20))


def test_a_resumed_training_gets_the_remaining_batches(many):
    whole = order(training_blocks([many], 4, 1, seed=7), 40)
    assert order(training_blocks([many], 4, 1, seed=7, skip=20), 20) == whole[20:]


def test_shards_share_an_epoch_between_them(many):
    shards = [order(training_blocks([many], 4, 1, 7, shard=(2, i, 10)), 20) for i in range(2)]
    for start in (0, 10):
        both = shards[0][start : start + 10] + shards[1][start : start + 10]
        assert sorted(both) == list(range(20))


def test_images_of_another_size_fail(file):
    with pytest.raises(tf.errors.InvalidArgumentError):
        one_epoch(training_blocks([file], 8, 1, seed=0), 1)
