"""The whole pipeline with its images, its artifacts and its pushed model in a bucket."""

import json
import os
import subprocess
import sys
import time

import pytest
import yaml
from images import write_classes
from s3 import Bucket, s3_server
from tiny_encoder import write_encoder

pytest.importorskip("tensorflow_io", reason="there is no tensorflow-io for this TensorFlow")

pytestmark = pytest.mark.timeout(600)

SIAMESE = "from pipeline.cli import main; main()"


@pytest.fixture(scope="module")
def variables():
    with s3_server() as found:
        yield found


@pytest.fixture(scope="module")
def bucket(variables):
    return Bucket("siamese-bucket", variables)


@pytest.fixture(scope="module")
def place(tmp_path_factory, bucket):
    """A folder with a configuration; images and an encoder are in the bucket."""
    folder = tmp_path_factory.mktemp("storage")
    write_classes(folder / "images", classes=3, each=12, size=24)
    bucket.upload(folder / "images", "images")
    bucket.put("images/", b"")  # as consoles and gs:// mark folders
    bucket.put("images/class-0/", b"")
    write_encoder(folder / "encoder.keras")
    bucket.put("encoder.keras", (folder / "encoder.keras").read_bytes())
    (folder / "config.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "few",
                "artifacts": "s3://siamese-bucket/artifacts",
                "data": {"root": "s3://siamese-bucket/images"},
                "image": {"size": 16},
                "model": {"backbone": "s3://siamese-bucket/encoder.keras", "embedding_size": 8},
                "training": {"epochs": 2, "learning_rate": 0.1},
                "thresholds": {"auc": 0.4},
                "judge": {"episodes": {"count": 20}, "resamples": 100},
                "push": {"destination": "s3://siamese-bucket/models", "infra_check": None},
            }
        )
    )
    return folder


def siamese(place, variables, *arguments):
    # What this machine knows of AWS must not help.
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "S3_"))}
    done = subprocess.run(
        [sys.executable, "-c", SIAMESE, *arguments],
        cwd=place,
        env={**clean, "COLUMNS": "160", "HOME": str(place), **variables},
        capture_output=True,
        text=True,
    )
    print(done.stdout, done.stderr)
    return done


def test_images_in_a_bucket_become_a_pushed_model_in_a_bucket(place, variables, bucket):
    done = siamese(place, variables, "run", "config.yaml")
    assert done.returncode == 0
    print(bucket.keys())
