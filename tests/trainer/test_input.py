import numpy as np
import pytest
import tensorflow as tf

from components import features
from trainer.input import pair_blocks


def block(pixels, labels, pairs):
    def texts(values):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    def numbers(values):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    return tf.train.Example(
        features=tf.train.Features(
            feature={
                features.PIXELS: texts([tf.io.serialize_tensor(p).numpy() for p in pixels]),
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
    path = str(tmp_path / "pairs.gz")
    with tf.io.TFRecordWriter(path, options="GZIP") as writer:
        writer.write(block(pixels[:2], [b"a", b"b"], [(0, 1)]))
        writer.write(block(pixels[2:], [b"b", b"a", b"b"], [(0, 2), (1, 2)]))
    return path


def test_joined_blocks_keep_their_pairs(file, pixels):
    [(x, y)] = list(pair_blocks([file], 4, blocks_per_step=2))
    np.testing.assert_array_equal(x, pixels)
    np.testing.assert_array_equal(y["left"], [0, 2, 3])
    np.testing.assert_array_equal(y["right"], [1, 4, 4])
    np.testing.assert_array_equal(y["target"], [0, 1, 0])
    of_class = y["class"].numpy()
    np.testing.assert_array_equal(
        of_class[y["left"]] == of_class[y["right"]], y["target"].numpy() == 1
    )


def test_one_block_a_step(file):
    assert [len(x) for x, _ in pair_blocks([file], 4, blocks_per_step=1)] == [2, 3]


def test_shuffles_by_seed_and_anew_each_epoch(tmp_path, pixels):
    path = str(tmp_path / "many.gz")
    with tf.io.TFRecordWriter(path, options="GZIP") as writer:
        for i in range(20):
            writer.write(block(pixels[:2] * 0 + np.uint8(i), [b"a", b"a"], [(0, 1)]))

    def order(dataset):
        return [int(x[0, 0, 0, 0]) for x, _ in dataset]

    one, same = (pair_blocks([path], 4, 1, shuffle_seed=7) for _ in range(2))
    first = order(one)
    assert first == order(same) != list(range(20))
    assert sorted(first) == list(range(20))
    assert order(one) != first


def test_images_of_another_size_fail(file):
    with pytest.raises(tf.errors.InvalidArgumentError):
        list(pair_blocks([file], 8, 1))
