import json

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
from apache_beam.testing.util import assert_that, is_empty

from base.errors import DataError
from components.pair_gen import beam_steps
from components.pair_gen.image_store import image_store
from records import features
from records.example import make_example
from records.lost import RecordsLost
from records.pair_sampling import class_balanced, held_out_pairs


def pixels_of(number):
    return np.full((2, 2, 3), number, np.uint8)


def record(number, label, image_id=None, content=None, fold=features.NO_FOLD):
    values = {
        features.PIXELS: tf.io.serialize_tensor(pixels_of(number)).numpy(),
        features.LABEL: label,
        features.SOURCE: b"%s/%d.png" % (label, number),
        features.CONTENT_HASH: content or b"hash %d" % number,
        features.IMAGE_ID: image_id or b"id %d" % number,
        features.GROUP: b"group %d" % number,
    }
    columns = {name: [value] for name, value in values.items()}
    return make_example(columns, {features.FOLD: [fold]}).SerializeToString()


RECORDS = [record(i, b"ab"[i % 2 : i % 2 + 1]) for i in range(12)]


def pair_blocks(records, sampler, arguments, tmp_path):
    path = str(tmp_path / "blocks")
    with image_store(str(tmp_path)) as folder, beam.Pipeline() as pipeline:
        _, blocks = (
            pipeline
            | beam.Create(records)
            | beam_steps.PairWithinSplit("train", folder, sampler, arguments)
        )
        _ = blocks | beam.io.WriteToTFRecord(path, shard_name_template="")
        _ = (
            blocks
            | beam.CombineGlobally(beam_steps.CountPairs())
            | beam.io.WriteToText(path + ".json", shard_name_template="")
        )
    blocks = [tf.train.Example.FromString(r.numpy()) for r in tf.data.TFRecordDataset(path)]
    return blocks, json.loads((tmp_path / "blocks.json").read_text())


def column(block, name):
    feature = block.features.feature[name]
    return list(feature.bytes_list.value or feature.int64_list.value)


def test_a_block_holds_what_was_sampled(tmp_path):
    blocks, counts = pair_blocks(RECORDS, class_balanced, (2, 3, 1, 0), tmp_path)
    assert len(blocks) == 2
    for block in blocks:
        labels, ids = column(block, features.LABEL), column(block, features.IMAGE_ID)
        assert len(set(ids)) == 6
        # Pixels, label, source and hash are of the same image.
        of_each = (features.IMAGE, features.LABEL, features.SOURCE, features.CONTENT_HASH)
        for encoded, label, source, content_hash, image_id in zip(
            *(column(block, name) for name in of_each), ids, strict=True
        ):
            number = int(image_id.split()[1])
            np.testing.assert_array_equal(tf.io.decode_png(encoded), pixels_of(number))
            assert source == b"%s/%d.png" % (label, number)
            assert label == b"ab"[number % 2 : number % 2 + 1]
            assert content_hash == b"hash %d" % number
        left, right = column(block, features.LEFT), column(block, features.RIGHT)
        same = [labels[a] == labels[b] for a, b in zip(left, right, strict=True)]
        np.testing.assert_array_equal(column(block, features.TARGET), same)
    assert counts == {"blocks": 2, "pairs": 30, "same": 12}


def test_the_order_of_the_images_plays_no_part(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    one, _ = pair_blocks(RECORDS, held_out_pairs, (4, 100, 0), tmp_path / "one")
    other, _ = pair_blocks(RECORDS[::-1], held_out_pairs, (4, 100, 0), tmp_path / "other")

    def content(blocks):
        return sorted(block.SerializeToString(deterministic=True) for block in blocks)

    assert content(one) == content(other)


def test_an_image_twice_in_a_split_is_named(tmp_path):
    with pytest.raises(Exception, match=r"split 'train' has the image a/0\.png twice"):
        pair_blocks([*RECORDS, RECORDS[0]], class_balanced, (2, 3, 1, 0), tmp_path)


def test_an_image_lost_on_the_way_is_not_done_without(tmp_path, monkeypatch):
    places = beam_steps._places
    monkeypatch.setattr(beam_steps, "_places", lambda block: list(places(block))[1:])
    with pytest.raises(Exception, match=r"block \d of split 'train' has 5 of 6 images: Beam's"):
        pair_blocks(RECORDS, class_balanced, (2, 3, 1, 0), tmp_path)


def test_a_record_lost_on_the_way_is_named():
    with pytest.raises(RecordsLost, match="split 'train' lacks image x7, which is in pairs"):
        list(beam_steps._place_images((b"x7", {"image": [], "place": [(0, 0)]}), "train"))


def test_pairs_lost_on_the_way_are_told_of():
    with pytest.raises(RecordsLost, match="block 3 of split 'test' has 1 images"):
        list(beam_steps._build((3, {"image": [(0, "path")], "pairs": []}), "test"))


def test_a_split_without_pairs_is_named(tmp_path):
    with pytest.raises(Exception, match="split 'train': 6 images of 1 class"):
        pair_blocks(RECORDS[::2], class_balanced, (2, 3, 1, 0), tmp_path)


def no_leak(train, test, place):
    with image_store(str(place)) as folder, beam.Pipeline() as pipeline:
        indexes = {}
        for name, records in (("train", train), ("test", test)):
            index, _ = (
                pipeline
                | f"Create {name}" >> beam.Create(records)
                | f"Pair {name}"
                >> beam_steps.PairWithinSplit(name, folder, held_out_pairs, (2, 100, 0))
            )
            indexes[name] = index
        assert_that(indexes | beam_steps.NoLeak(), is_empty())


def test_splits_apart_are_no_leak(tmp_path):
    no_leak(RECORDS[:6], RECORDS[6:], tmp_path)


@pytest.mark.parametrize(
    ("leaking", "kind"),
    [
        (record(50, b"a", image_id=b"id 8"), "image id"),
        (record(50, b"a", content=b"hash 8"), "content"),
    ],
)
def test_a_leak_names_the_files(leaking, kind, tmp_path):
    with pytest.raises(Exception, match=kind) as caught:
        no_leak([*RECORDS[:6], leaking], RECORDS[6:], tmp_path)
    assert "DataError" in f"{type(caught.value)} {caught.value}"
    assert "a/50.png in split 'train'" in str(caught.value)
    assert "a/8.png in split 'test'" in str(caught.value)


def test_data_errors_are_value_errors():
    assert issubclass(DataError, ValueError)
