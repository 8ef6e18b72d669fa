"""Every outcome of the gate through the real DAG, its runner and the command line.

The runs are in this process, so that TFX is imported once, and share a pipeline folder where they
can, so that all that does not change comes from the cache; only the encoders are tiny. That a model
of random labels is not blessed, trainer/training/test_shuffled_labels.py shows without the DAG; of
a collapsed encoder, components/judge/test_component.py.
"""

import json
import shutil
from pathlib import Path

import pytest
import tensorflow as tf
import yaml
from command_line import run_here, siamese
from sample_images import picture, write_classes
from tiny_encoder import write_encoder

from components.judge.judgement_files import read_judgement
from records import features

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FOUND = {"training.learning_rate": 0.2}
"""By a search before."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with images of classes that are easy to separate, encoders, and a configuration."""
    folder = tmp_path_factory.mktemp("gate")
    write_classes(folder / "data", classes=3, each=20, size=16, spread=60)
    write_encoder(folder / "encoder.keras")
    write_weak_encoder(folder / "brightness.keras")
    (folder / "found").mkdir()
    (folder / "found/best_hyperparameters.txt").write_text(
        json.dumps({"space": [], "values": FOUND})
    )
    config = {
        "name": "few",
        "data": {"root": "data"},
        "image": {"size": 16},
        "model": {"backbone": "./encoder.keras", "embedding_size": 8},
        "training": {
            "recipe": "fine_tuned",
            "epochs": 2,
            "learning_rate": 0.1,
            "augmentation": None,
        },
        "judge": {"reference_methods": False},
        "push": {"infra_check": None},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def write_weak_encoder(path):
    """It embeds the mean pixel."""
    import keras

    layers = keras.layers
    mean = [layers.Rescaling(1 / 255), layers.GlobalAveragePooling2D()]
    one = layers.Dense(1, kernel_initializer="ones")
    keras.Sequential([keras.Input((16, 16, 3)), *mean, one]).save(path)


class Ran:
    """The outcome of `siamese run`."""

    def __init__(self, place, name, result, before):
        self.exit_code, self.everything, self.before = result.exit_code, result.everything, before
        self.versions = versions(place, name)
        self.folder = max((place / "runs" / name / "runs").iterdir())
        self.judgement = read_judgement(str(self.folder))
        summary = json.loads((self.folder / "summary.json").read_text())
        self.training = summary["training"]
        self.components = {c["id"]: c["outcome"] for c in summary["run"]["components"]}
        gate = siamese("gate", f"runs/{name}", "--json")
        self.gate_exit_code, self.gate = gate.exit_code, json.loads(gate.stdout)

    def check(self, metric):
        """The outcome of a check."""
        [found] = [c.outcome for c in self.judgement.verdict.checks if c.metric == metric]
        return found


def versions(place, name):
    return sorted(path.name for path in (place / "runs" / name / "serving").glob("[0-9]*"))


@pytest.fixture(scope="module")
def run(place):
    """`siamese run`, whose process for the pipeline is this one."""

    def started(*changes, name="few"):
        before = versions(place, name)
        options = [part for change in (f"name={name}", *changes) for part in ("--set", change)]
        return Ran(place, name, run_here(place, "config.yaml", *options), before)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        yield started


@pytest.fixture(scope="module")
def blessed(run):
    """The first run, of a good model."""
    return run()


def test_a_good_first_model_is_blessed_and_pushed(blessed):
    assert (blessed.exit_code, blessed.gate_exit_code) == (0, 0), blessed.everything
    assert blessed.before == []
    assert len(blessed.versions) == 1
    assert blessed.judgement.verdict.outcome == "blessed"
    # There is none to compare it with.
    assert blessed.check("auc against the last blessed model") == "skipped"
    assert "last blessed model" not in blessed.judgement.compared


def test_a_worse_one_is_not_pushed_and_the_old_version_stays(blessed, run):
    ran = run("model.backbone=./brightness.keras", "thresholds.auc=0.3",
              "thresholds.class_accuracy=null", "thresholds.worst_class_recall=null",
              "thresholds.better_than_chance=false", "tuner.reuse=found")  # fmt: skip
    assert (ran.exit_code, ran.gate_exit_code) == (3, 3), ran.everything
    assert ran.versions == ran.before == blessed.versions
    assert ran.judgement.verdict.outcome == "not_blessed"
    assert ran.check("auc") == "passed"
    assert ran.check("auc against the last blessed model") == "failed"
    assert ran.judgement.compared["last blessed model"].model.startswith(str(Path.cwd()))
    assert "Not blessed: auc against the last blessed model -0." in ran.everything
    assert ran.components["ImageExampleGen"] == "cached"
    assert ran.components["FoundHyperparameters"] == "done"
    assert ran.training["hyperparameters"] == FOUND


def test_without_thresholds_nothing_is_pushed(blessed, run):
    ran = run("thresholds=null")
    assert (ran.exit_code, ran.gate_exit_code) == (3, 3), ran.everything
    assert ran.versions == ran.before == blessed.versions
    assert "no threshold is set" in ran.everything
    assert ran.components["Trainer"] == "cached"


def test_too_few_images_are_an_outcome_of_its_own(blessed, run):
    ran = run("thresholds.class_accuracy={at_least: 0.95, bound: lower}")
    assert (ran.exit_code, ran.gate_exit_code) == (4, 4), ran.everything
    assert ran.versions == ran.before == blessed.versions
    assert ran.judgement.verdict.outcome == "undecided"
    assert "12 test images are too few to decide: about" in ran.everything
    assert ran.components["Trainer"] == "cached"


def contents(judgement, *splits):
    """Hashes of the images of some splits of the examples that were judged."""
    files = [file for split in splits for file in Path(judgement.examples).glob(f"Split-{split}/*")]
    records = tf.data.TFRecordDataset([str(file) for file in files], compression_type="GZIP")
    examples = [tf.train.Example.FromString(record.numpy()) for record in records]
    return {e.features.feature[features.CONTENT_HASH].bytes_list.value[0] for e in examples}


def test_models_are_compared_on_images_that_neither_was_trained_on(place, blessed, run):
    shutil.copytree(place / "data", place / "more")
    for label in range(3):
        for number in range(20, 30):
            picture(label, number, 16, 60).save(place / f"more/class-{label}/{number}.png")
    ran = run("data.root=more")
    assert (ran.exit_code, ran.gate_exit_code) == (0, 0), ran.everything
    # More images change the splits, so that some training images are now test images.
    trained_on = contents(blessed.judgement, features.TRAIN, features.VALIDATION)
    known = contents(ran.judgement, features.TEST) & trained_on
    compared = ran.judgement.compared["last blessed model"]
    assert compared.left_out == len(known) > 0
    assert ran.judgement.images == 18
    assert compared.differences["class_accuracy"].images == 18 - len(known)
    assert ran.judgement.invalid == {}  # the new model has seen none
    assert ran.check("auc against the last blessed model") == "passed"
    assert f"compared on {18 - len(known)} of 18 test images: the last" in ran.gate["notes"][0]
    assert f"Compared on {18 - len(known)} of 18" in (ran.folder / "MODEL_CARD.md").read_text()
