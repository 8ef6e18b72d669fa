import hashlib
from datetime import datetime, timezone
from pathlib import Path

import pytest

from base.errors import UserError
from components.image_example_gen.report import IngestionReport
from pipeline.config.reading import parse
from pipeline.runs.held_out import held_out_images
from pipeline.runs.history import Artifact, Component, Run
from pipeline.runs.summary import Summary
from records import features, training_keys


def content_hash(name):
    return hashlib.sha256(name.encode()).hexdigest()


def save_model(folder, trained_on):
    import tensorflow as tf

    module = tf.Module()
    module.training_keys = tf.Variable(training_keys.as_keys(map(content_hash, trained_on)))
    tf.saved_model.save(module, str(folder))


def add_run(config, number, test, pushed):
    """A run with images in its test split, which has pushed a version, or nothing."""
    import tensorflow as tf

    examples = config.root / f"pipeline/ImageExampleGen/examples/{number}"
    (examples / f"Split-{features.TEST}").mkdir(parents=True)
    report = IngestionReport(
        root="/data", files=9, reencoded=0, expected_classes=[], classes={}, excluded=[],
        near_duplicates=[],
    )  # fmt: skip
    (examples / IngestionReport.FILE).write_text(report.model_dump_json())
    path = str(examples / f"Split-{features.TEST}" / "images.gz")
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for name in test:
            example = tf.train.Example()
            for key, value in (
                (features.SOURCE, f"a/{name}"),
                (features.LABEL, "a"),
                (features.CONTENT_HASH, content_hash(name)),
            ):
                example.features.feature[key].bytes_list.value.append(value.encode())
            writer.write(example.SerializeToString())
    properties = {"pushed": int(pushed is not None), "pushed_destination": f"/serving/{pushed}"}
    outputs = {
        "ImageExampleGen": {"examples": Artifact(uri=str(examples))},
        "Pusher": {"pushed_model": Artifact(uri="p", properties=properties)},
    }
    components = [Component(id=k, outcome="done", outputs=v) for k, v in outputs.items()]
    folder = config.root / f"runs/2026010{number}-000000"
    folder.mkdir(parents=True)
    (folder / "config.yaml").touch()
    run = Run(id=folder.name, components=components)
    started = datetime(2026, 1, number, tzinfo=timezone.utc)
    Summary(name="siamese", started=started, run=run, serving_root="s").write(folder)


def test_images_are_of_the_run_that_pushed_the_model(tmp_path):
    """Another seed splits the images in another way, and its run may push nothing."""
    config = parse({"output": str(tmp_path), "data": {"root": "data"}})
    add_run(config, 1, test=["1", "2", "3"], pushed=10)
    add_run(config, 2, test=["3", "4", "5"], pushed=None)
    serving = config.root / "serving"
    save_model(serving / "10", trained_on=["4", "5"])
    save_model(serving / "11", trained_on=["2", "4", "5"])  # enrolled from 10, with test image 2
    held_out = {
        version: [file.name for file, _ in held_out_images(config, version)]
        for version in (10, 11, None)
    }
    assert held_out == {10: ["1", "2", "3"], 11: ["1", "3"], None: ["1", "3"]}
    assert held_out_images(config)[0] == (Path("/data/a/1"), "a")


def test_a_model_of_which_no_run_is_known(tmp_path):
    config = parse({"output": str(tmp_path), "data": {"root": "data"}})
    with pytest.raises(UserError, match="no model has been pushed there"):
        held_out_images(config)
    save_model(config.root / "serving/10", trained_on=["1"])
    with pytest.raises(UserError, match=r"holds no version 9; choose one of 10"):
        held_out_images(config, 9)
    with pytest.raises(UserError, match=r"serving/10: no run of .* has pushed it; name images"):
        held_out_images(config)
