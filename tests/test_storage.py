"""The whole pipeline with its images, its artifacts and its pushed model in a bucket."""

import json
import os
import tempfile

import pytest
import yaml
from command_line import run_here, siamese_process
from pipeline_folder import LENIENT
from s3 import Bucket, use_here
from sample_images import write_classes
from tiny_encoder import write_encoder

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def bucket(s3_variables):
    return Bucket("siamese-bucket", s3_variables)


@pytest.fixture(scope="module")
def place(tmp_path_factory, bucket):
    """A folder with a configuration; images and an encoder are in the bucket."""
    folder = tmp_path_factory.mktemp("storage")
    write_classes(folder / "images", classes=3, each=12, size=24)
    bucket.upload(folder / "images", "spans/1")
    bucket.upload(folder / "images", "images")
    bucket.put("images/", b"")  # as consoles and gs:// mark folders
    bucket.put("images/class-0/", b"")
    (folder / "tmp").mkdir()
    write_encoder(folder / "encoder.keras")
    bucket.put("encoder.keras", (folder / "encoder.keras").read_bytes())
    (folder / "config.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "few",
                "artifacts": "s3://siamese-bucket/artifacts",
                "data": {"root": "s3://siamese-bucket/spans/{SPAN}"},
                "image": {"size": 16},
                "model": {"backbone": "s3://siamese-bucket/encoder.keras", "embedding_size": 8},
                "training": {"epochs": 2, "learning_rate": 0.1},
                "thresholds": {**LENIENT, "auc": 0, "better_than_chance": False},
                "judge": {"episodes": {"count": 20}},
                "push": {"destination": "s3://siamese-bucket/models", "infra_check": None},
            }
        )
    )
    return folder


def siamese(place, s3_variables, *arguments):
    # What this machine knows of AWS must not help.
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "S3_"))}
    environment = {**clean, "HOME": str(place), "TMPDIR": str(place / "tmp"), **s3_variables}
    return siamese_process(place, *arguments, environment=environment)


@pytest.fixture
def here(s3_variables, monkeypatch, tmp_path):
    """This process uses the store, too."""
    from pipeline import tfx_on_s3

    use_here(s3_variables, monkeypatch, tmp_path)
    tfx_on_s3.enable([])


@pytest.mark.slow
def test_images_in_a_bucket_become_a_pushed_model_in_a_bucket(place, bucket, here, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(place / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    done = run_here(place, "config.yaml")
    assert done.exit_code == 0, done.everything
    assert "Blessed" in done.stdout
    assert "Pushed to s3://siamese-bucket/models/" in done.stdout
    assert "image not available" not in next(place.glob("runs/few/runs/*/report.html")).read_text()
    assert not (place / "runs/few/pipeline").exists()
    assert not [key for key in bucket.keys("models/") if ".siamese" in key]  # of the check before
    assert not list((place / "tmp").glob("siamese-*"))
    local_copies = f"{place}/tmp/siamese-".encode()
    assert local_copies not in (place / "runs/few/metadata.sqlite").read_bytes()
    assert not [key for key in bucket.keys("artifacts/") if local_copies in bucket.get(key)]
    [judgement] = [key for key in bucket.keys("artifacts/") if key.endswith("/judgement.json")]
    told = json.loads(bucket.get(judgement))
    assert told["model"].startswith("s3://siamese-bucket/artifacts/few/Trainer/model/")
    assert told["root"] == "s3://siamese-bucket/spans/1"


@pytest.mark.slow
def test_the_pushed_model_is_loaded_back(place, bucket, here, tmp_path):
    import tensorflow as tf

    from components.judge.exported_model import JudgedModel
    from components.judge.last_blessed import last_served
    from pipeline.runs.pushed import newest_model

    base = "s3://siamese-bucket/models"
    bucket.put("models/9999999999/variables/variables.index", b"half")  # being pushed
    copy = newest_model(base, tmp_path / "served")
    assert newest_model(base, tmp_path / "served") == copy
    image = (place / "images/class-1/0.png").read_bytes()
    classify = tf.saved_model.load(str(copy)).signatures["classify"]
    assert classify(image=tf.constant([image]))["label"].numpy()
    judged = [JudgedModel(folder) for folder in (str(copy), f"{base}/{copy.name}")]
    answers = [model.embed([image]).embeddings.tolist() for model in judged]
    assert answers[0] == answers[1]
    assert judged[0].enrolled == judged[1].enrolled
    assert last_served(base, str(tmp_path)) == f"{base}/{copy.name}"
    assert last_served(base, str(copy)) is None


def test_files_of_a_bucket_are_listed_as_those_of_a_folder(place, bucket, here):
    from components.image_example_gen.sources import class_folders, list_sources

    there, local = "s3://siamese-bucket/images", str(place / "images")
    assert list_sources(there) == list_sources(local)
    assert class_folders(there) == class_folders(local)


def test_a_bucket_of_more_files_than_one_answer_lists(bucket, here):
    from components.image_example_gen.sources import list_sources

    for number in range(1_010):
        bucket.put(f"many/a/{number}.png", b"")
    assert len(list_sources("s3://siamese-bucket/many")) == 1_010


def test_a_changed_object_is_noticed(bucket, here):
    from components.image_example_gen.driver import _state

    path = "s3://siamese-bucket/changed.png"
    bucket.put("changed.png", b"one")
    before = _state(path)
    assert before == _state(path)
    bucket.put("changed.png", b"three")
    assert before != _state(path)
    assert _state("s3://siamese-bucket/none.png") == b"unreadable"


def test_what_cannot_be_read_as_an_image(bucket, here):
    from components.image_example_gen.inspection import inspect
    from components.image_example_gen.sources import Source

    bucket.put("odd/a/folder/1.png", b"no image")
    root = "s3://siamese-bucket/odd"
    assert inspect(Source("a/folder", "a"), root, 100).problem == "is a folder, not a file"
    assert "cannot be read" in inspect(Source("a/none", "a"), root, 100).problem


def test_a_store_that_does_not_answer_is_no_damaged_model(bucket, here, monkeypatch):
    from base.errors import StorageError
    from components.judge.exported_model import JudgedModel, ModelError
    from storage import s3

    with pytest.raises(ModelError, match="is no SavedModel"):
        JudgedModel("s3://siamese-bucket/none")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    s3._client.cache_clear()
    with pytest.raises(StorageError, match="does not answer") as told:
        JudgedModel("s3://siamese-bucket/none")
    assert not isinstance(told.value, ModelError)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("data.root=s3://gone/x", "data.root: s3://gone/x: there is no bucket 'gone'"),
        ("push.destination=s3://gone/x", "push.destination: s3://gone/x: there is no bucket"),
        ("output=s3://siamese-bucket/x", "output: s3://siamese-bucket/x is not a local folder"),
    ],
)
def test_what_cannot_be_used_is_refused_at_once(place, s3_variables, change, told):
    done = siamese(place, s3_variables, "run", "config.yaml", "--set", change)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
