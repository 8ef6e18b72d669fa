"""PairGen and the Trainer, twice: other test images change no weight, threshold or metric."""

import json

import numpy as np
import pytest
import run_fn_here
import tensorflow as tf
from pair_files import transformed
from pair_gen_here import run_pair_gen
from tfx.types import artifact_utils, standard_artifacts

from records import features, training_keys
from trainer.settings import Training


def pairs_of(folder, test_numbers):
    """Run PairGen on images that differ in the test split alone; returns its output."""
    examples, pairs = standard_artifacts.Examples(), standard_artifacts.Examples()
    examples.uri, pairs.uri = str(folder / "images"), str(folder / "pairs")
    examples.split_names = artifact_utils.encode_split_names(list(features.SPLITS))
    for split, numbers in ((features.TRAIN, range(6)), (features.VALIDATION, range(10, 14)),
                           (features.TEST, test_numbers)):  # fmt: skip
        below = folder / "images" / f"Split-{split}"
        below.mkdir(parents=True)
        with tf.io.TFRecordWriter(str(below / "x.gz"), options="GZIP") as writer:
            for label in range(3):
                for number in numbers:
                    writer.write(transformed(label, number).SerializeToString())
    settings = {
        "sampling": "class_balanced", "classes_per_block": 3, "images_per_class": 2,
        "block_size": 4, "partners": 3, "passes": 2, "held_out_partners": 4,
        "held_out_max_images": 100, "seed": 0, "code": "",
    }  # fmt: skip
    run_pair_gen(examples, pairs, settings)
    return folder / "pairs"


def train_on(pairs, folder, backbone):
    splits = (
        str(pairs / f"Split-{split}" / "*") for split in (features.TRAIN, features.VALIDATION)
    )
    training = Training(epochs=2, learning_rate=0.1, recipe="fine_tuned", refit=True)
    run_fn_here.main(*splits, backbone, folder, training=training.model_dump_json())
    summary = json.loads((folder / "run" / "training.json").read_text())
    timed = ("seconds", "pairs_per_second")
    summary["history"] = {k: v for k, v in summary["history"].items() if k not in timed}
    return tf.saved_model.load(str(folder / "model")), {**summary, "seconds": 0}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_backbone):
    found = []
    for test_numbers in (range(20, 24), range(30, 38)):
        folder = tmp_path_factory.mktemp("run")
        pairs = pairs_of(folder, test_numbers)
        found.append((pairs, *train_on(pairs, folder, tiny_backbone)))
    return found


@pytest.mark.parametrize("split", features.SPLITS)
def test_only_the_test_pairs_differ(runs, split):
    one, other = ([p.read_bytes() for p in pairs.rglob(f"Split-{split}/*")] for pairs, *_ in runs)
    assert (one == other) is (split != features.TEST)


def test_the_dag_gives_the_trainer_no_test_images(tiny_backbone):
    from pipeline.config.reading import parse
    from pipeline.dag import create_pipeline

    values = {"data": {"root": "x"}, "tuner": {"enabled": True}}
    components = {c.id: c for c in create_pipeline(parse(values)).components}
    for name in ("Trainer", "Tuner"):
        properties = components[name].exec_properties
        named = str(properties["train_args"]), str(properties["eval_args"])
        assert features.TRAIN in named[0]
        assert features.VALIDATION in named[1]
        assert f'"{features.TEST}"' not in "".join(named)


def test_weights_thresholds_and_metrics_are_equal(runs):
    (_, one, one_summary), (_, other, other_summary) = runs
    assert one_summary == other_summary
    assert one_summary["calibration"]
    assert one_summary["refit"] == {"train": 18, "validation": 12}
    for name, value in one.thresholds().items():
        assert value == other.thresholds()[name]
    images = [
        tf.io.encode_png(np.random.default_rng(i).integers(0, 256, (16, 16, 3)).astype("uint8"))
        for i in range(8)
    ]
    embeddings = [m.signatures["embed"](image=tf.stack(images))["embedding"] for m in (one, other)]
    np.testing.assert_array_equal(*embeddings)
    np.testing.assert_array_equal(one.support.embeddings, other.support.embeddings)


def test_the_model_lists_the_images_it_was_trained_on(runs):
    learned = [
        transformed(label, number).features.feature[features.CONTENT_HASH].bytes_list.value[0]
        for label in range(3)
        for number in (*range(6), *range(10, 14))  # of train and validation
    ]
    for _, model, _ in runs:
        np.testing.assert_array_equal(model.training_keys, training_keys.as_keys(learned))
