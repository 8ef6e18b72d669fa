import pytest
from s3 import Bucket, s3_server, use_here

from records.example import make_example
from records.reading import read_split


@pytest.fixture
def examples(tmp_path):
    """A folder with two files of records in one split."""
    import tensorflow as tf

    folder = tmp_path / "examples/Split-test"
    folder.mkdir(parents=True)
    for number in (1, 0):
        with tf.io.TFRecordWriter(str(folder / f"data-{number}.gz"), "GZIP") as writer:
            writer.write(make_example({"x": [b"%d" % number]}, {}).SerializeToString())
    return tmp_path / "examples"


def read(examples, split="test"):
    return [record["x"].bytes_list.value[0] for record in read_split(examples, split)]


def test_all_files_of_a_split_are_read_in_order(examples):
    assert read(str(examples)) == [b"0", b"1"]
    assert read(str(examples), "train") == []


def test_a_split_in_a_bucket_is_the_same(examples, monkeypatch, tmp_path):
    with s3_server() as variables:
        use_here(variables, monkeypatch, tmp_path)
        Bucket("bucket", variables).upload(examples, "examples")
        assert read("s3://bucket/examples") == [b"0", b"1"]
        assert read("s3://bucket/examples", "train") == []
