import numpy as np
from pair_files import transformed, write_splits

from records import features
from trainer.training.images import few_of_each_class, held_out, scan


def _hashes(numbers):
    records = (transformed(label, number) for label in range(3) for number in numbers)
    return {r.features.feature[features.CONTENT_HASH].bytes_list.value[0] for r in records}


def test_scan_counts_blocks_pairs_and_images(tmp_path):
    train, validation = write_splits(tmp_path, classes=3, each=6, passes=2)
    blocks = scan(train)
    assert blocks.blocks == 6
    assert blocks.pairs == 6 * 15
    assert {label: len(ids) for label, ids in blocks.members.items()} == {
        "class-0": 6,
        "class-1": 6,
        "class-2": 6,
    }
    assert blocks.largest > 6 * 16 * 16 * 3
    assert blocks.content_hashes == _hashes(range(6))
    assert not set(blocks.members["class-0"]) & set(scan(validation).members["class-0"])


def test_held_out_images_come_once_and_keep_their_pairs(tmp_path):
    _, validation = write_splits(tmp_path, classes=3, each=6)
    images, left, right, target = held_out(validation, 16)
    assert images.pixels.shape == (18, 16, 16, 3)
    assert len(set(images.ids)) == 18
    assert len(set(images.sources)) == 18
    assert set(images.content_hashes) == _hashes(range(1000, 1006))
    for label, source in zip(images.labels, images.sources, strict=True):
        assert source.startswith(f"{label}/10".encode())
    assert len(left) == scan(validation).pairs
    np.testing.assert_array_equal(images.labels[left] == images.labels[right], target == 1)


def test_support_images_are_equally_many_per_class(tmp_path):
    train, _ = write_splits(tmp_path, classes=3, each=6)
    members = scan(train).members
    images = few_of_each_class(train, members, 16, most=7)
    assert sorted(images.labels) == ["class-0"] * 2 + ["class-1"] * 2 + ["class-2"] * 2
    assert len(few_of_each_class(train, members, 16, most=1).labels) == 3
    everything = few_of_each_class(train, members, 16, most=100)
    assert len(everything.labels) == len(set(everything.ids)) == 18
