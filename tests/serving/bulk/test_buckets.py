"""Work in bulk on images on s3://, against a store on loopback."""

import csv

import pytest
from command_line import siamese
from s3 import Bucket, use_here
from sample_images import encoded, picture

PNG = encoded(picture(0, 0))


@pytest.fixture
def bucket(s3_variables, monkeypatch, tmp_path):
    use_here(s3_variables, monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    made = Bucket("bucket", s3_variables)
    made.delete_all()
    for name in ("photos/a/1.png", "photos/b/1.png", "photos/.hidden/1.png"):
        made.put(name, PNG)
    made.put("photos/notes.txt", b"no image")
    return made


def test_a_bucket_is_classified_and_sorted(bucket, address, tmp_path):
    server = ("--server", address, "--name", "parts")
    result = siamese("classify", "s3://bucket/photos", *server, "--sort-into", "sorted")
    assert "sorted/answers.csv has 3 rows" in result.stderr, result.everything
    with (tmp_path / "sorted/answers.csv").open(newline="") as file:
        rows = {row["image"]: row["label"] for row in csv.DictReader(file)}
    assert rows == {
        "s3://bucket/photos/a/1.png": "a",
        "s3://bucket/photos/b/1.png": "a",
        "s3://bucket/photos/notes.txt": "",
    }
    assert (tmp_path / "sorted/a/b/1.png").read_bytes() == PNG
    assert (tmp_path / "sorted/not an image/notes.txt").read_bytes() == b"no image"


def test_so_it_is_line_by_line(bucket, address):
    server = ("--server", address, "--name", "parts")
    result = siamese("classify", "s3://bucket/photos/a/1.png", *server)
    assert result.stdout == "a/1.png: a (0.750), nearest image a/1.png\n"
