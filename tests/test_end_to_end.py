"""The real DAG on a few images, through the command line; only the encoder is tiny.

The tests share one pipeline folder and tell a story in order: the first model and all that can be
asked of it; then, slow, the same again, a stricter gate, bad images, a search on other pairs.
"""

import json
import os
import shutil
import subprocess
import time

import numpy as np
import pytest
import yaml
from command_line import SIAMESE, run_here, siamese
from pipeline_folder import UNSERVED, first_run, outcomes, versions
from sample_images import write_classes

from serving.client import SiameseClient
from serving.temporary_server import free_ports
from storage.enrolled_images import read_enrolled_images

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    found = first_run(tmp_path_factory)
    assert found.exit_code == 0, found.stderr
    return found


@pytest.fixture(scope="module")
def place(first):
    return first.place


@pytest.fixture(scope="module")
def pushed(place):
    """The first model, loaded here."""
    import tensorflow as tf

    [version] = versions(place)
    return tf.saved_model.load(str(place / "runs/few/serving" / version))


@pytest.fixture
def inside(place, monkeypatch):
    """For commands in this process, which has TensorFlow already."""
    monkeypatch.chdir(place)


@pytest.mark.smoke
def test_images_become_a_blessed_and_pushed_model(first, place):
    assert first.exit_code == 0, first.stderr
    assert "Trainer: done" in first.stderr
    assert "epoch 4/4" in first.stderr
    assert "Blessed" in first.stdout
    summary, outcome = outcomes(place)
    assert set(outcome.values()) == {"done"}
    assert {"DataCheck", "PairGen", "Judge", "InfraCheck", "Pusher"} <= set(outcome)
    [version] = versions(place)
    assert summary["run"]["components"][-1]["outputs"]["pushed_model"]["properties"][
        "pushed_destination"
    ].endswith(f"runs/few/serving/{version}")
    assert (place / "runs/few/serving" / version / "saved_model.pb").is_file()
    assert "Few-shot accuracy on the validation images" in first.stdout
    assert "raw pixels, nearest neighbour" in first.stdout
    [folder] = (place / "runs/few/runs").glob("*")
    assert summary["id"] == summary["run"]["id"] == folder.name  # in ML Metadata too
    assert f"run {folder.name}: log in" in first.stderr
    assert len((folder / "training.csv").read_text().splitlines()) == 5
    report = (folder / "report.html").read_text()
    assert "Blessed" in report
    assert report.count("data:image/") > 0  # of the hardest pairs
    assert "image not available" not in report
    assert (folder / "MODEL_CARD.md").read_text().startswith("# Model card: few")
    assert f"Report: {folder.relative_to(place)}/report.html" in first.stdout
    judgement = json.loads((folder / "judgement.json").read_text())
    assert judgement["verdict"] == summary["verdict"]
    assert {"pretrained encoder", "raw pixels"} == set(judgement["compared"])
    [model_run] = (place / "runs/few/pipeline/Trainer/model_run").glob("*")
    assert (model_run / "tensorboard/projector_config.pbtxt").is_file()
    effective = yaml.safe_load((folder / "config.yaml").read_text())
    assert effective["splits"]["by"] == "image"  # defaults included


def test_no_image_leaks_across_splits(place):
    import tensorflow as tf

    from records import features

    seen: dict[bytes, set[str]] = {}
    for split in features.SPLITS:
        files = [str(p) for p in (place / "runs/few/pipeline/PairGen").rglob(f"Split-{split}/*")]
        assert files
        for record in tf.data.TFRecordDataset(files):
            feature = tf.train.Example.FromString(record.numpy()).features.feature
            for image_id in feature[features.IMAGE_ID].bytes_list.value:
                seen.setdefault(image_id, set()).add(split)
    assert len(seen) == 60
    assert all(len(splits) == 1 for splits in seen.values())


def test_training_and_serving_see_the_same_pixels(place):
    """Byte for byte: the served graph on a file, and what Transform has written for it."""
    import tensorflow as tf
    import tensorflow_transform as tft

    from records import features

    [graph] = (place / "runs/few/pipeline/Transform/transform_graph").glob("*")
    layer = tft.TFTransformOutput(str(graph)).transform_features_layer()
    files = [
        str(p)
        for p in (place / "runs/few/pipeline/Transform/transformed_examples").rglob("Split-*/*")
    ]
    compared = 0
    for record in tf.data.TFRecordDataset(files, compression_type="GZIP"):
        feature = tf.train.Example.FromString(record.numpy()).features.feature
        source = os.fsdecode(feature[features.SOURCE].bytes_list.value[0])
        image = tf.constant([[(place / "data" / source).read_bytes()]])
        served = layer({features.IMAGE: image})[features.PIXELS][0, 0].numpy()
        assert served == feature[features.PIXELS].bytes_list.value[0]
        compared += 1
    assert compared == 60


def test_the_served_model_sees_them_too(place, pushed):
    """Its answers on files are those on the pixels that the Evaluator judged it by."""
    import tensorflow as tf

    from records import features

    files = [str(p) for p in (place / "runs/few/pipeline/PairGen").rglob("Split-test/*")]
    for record in tf.data.TFRecordDataset(files).take(10):
        feature = tf.train.Example.FromString(record.numpy()).features.feature
        left, right = (
            tf.constant([(place / "data" / os.fsdecode(source)).read_bytes()])
            for source in feature[features.SOURCE].bytes_list.value
        )
        served = pushed.signatures["serving_default"](left=left, right=right)
        judged = pushed.signatures["evaluate"](examples=record[None])
        np.testing.assert_allclose(served["similarity"], judged["similarity"], rtol=1e-5)


def test_the_judge_judges_as_the_model_answers_and_tfma_measures(place, pushed):
    """Each image as `classify` gives it, and the very pairs that the Evaluator has."""
    import tensorflow as tf
    import tensorflow_model_analysis as tfma

    from components.judge.judgement_files import read_image_outcomes, read_judgement

    [judged] = (place / "runs/few/pipeline/Judge/judgement").glob("*")
    for line in read_image_outcomes(str(judged)):
        image = tf.constant([(place / "data" / line.source).read_bytes()])
        answer = {k: v[0].numpy() for k, v in pushed.signatures["classify"](image=image).items()}
        assert answer["label"].decode() == line.predicted
        assert answer["known"] == line.known
        assert answer["scores"][0] == pytest.approx(line.score, abs=1e-5)
        assert [n.decode() for n in answer["nearest"]] == list(line.nearest)
    metrics = read_judgement(str(judged)).metrics
    [evaluation] = (place / "runs/few/pipeline/Evaluator/evaluation").glob("*")
    result = tfma.load_eval_result(str(evaluation))
    for output, names in (("similarity", ["auc"]), ("same", ["accuracy", "precision", "recall"])):
        found = result.get_metrics_for_slice(output_name=output)
        for name in names:
            # TFMA's curve is by ten thousand steps.
            assert found[name]["doubleValue"] == pytest.approx(metrics[name].value, abs=2e-3)


@pytest.mark.smoke
def test_the_gate_says_of_the_model_and_the_files_what_the_judge_said(place, inside):
    from components.judge.judgement_files import read_image_outcomes, read_judgement

    done = siamese("gate", "config.yaml", "--json")
    assert done.exit_code == 0, done.everything
    # What InfraCheck found is among it.
    last = json.loads(done.stdout)["checks"][-1]
    assert (last["metric"], last["outcome"]) == ("InfraCheck", "passed")
    [judged] = (place / "runs/few/pipeline/Judge/judgement").glob("*")
    for line in read_image_outcomes(str(judged)):
        file = place / "held" / line.source
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes((place / "data" / line.source).read_bytes())
    done = siamese("gate", "--model", "runs/few/serving", "--images", "held", "--config",
                   "config.yaml", "--json", "--keep", "kept")  # fmt: skip
    assert done.exit_code == 0, done.everything
    found = {name: one["value"] for name, one in json.loads(done.stdout)["metrics"].items()}
    metrics = read_judgement(str(judged)).metrics
    assert found == pytest.approx({name: one.value for name, one in metrics.items()}, abs=1e-6)
    compared = json.loads(siamese("compare", "config.yaml", "kept", "--json").stdout)
    assert compared["shared"]["both"] == 12
    assert compared["shared"]["only_first"] == compared["shared"]["only_second"] == 0
    differences = [one["difference"]["value"] for one in compared["metrics"]]
    assert differences == pytest.approx([0] * 10, abs=1e-6)


@pytest.mark.smoke
class TestThePushedModel:
    @pytest.fixture(scope="class")
    def server(self, place):
        """`siamese serve` on the models that were pushed; gives options to ask it by."""
        port, rest_port = free_ports(2)
        options = ["--engine", "embedded", "--port", str(port), "--rest-port", str(rest_port)]
        with (place / "server.log").open("w") as log:
            process = subprocess.Popen(
                [SIAMESE, "serve", "config.yaml", *options], cwd=place, stdout=log, stderr=log
            )
        with SiameseClient(f"localhost:{port}", "few") as client:
            client.wait_until_available(120)
        yield ["--server", f"localhost:{port}", "--config", "config.yaml", "--json"]
        process.terminate()
        assert process.wait(60) == 0, (place / "server.log").read_text()

    def test_answers_by_grpc(self, inside, server):
        pair = ["data/class-0/0.png", "data/class-0/0.png"]
        done = siamese("predict", *pair, *server)
        assert done.exit_code == 0, done.everything
        [same] = json.loads(done.stdout)["pairs"]
        assert same["same"]
        held_out = siamese("predict", "--held-out", "4", *server)
        pairs = json.loads(held_out.stdout)["pairs"]
        assert [pair["truth"] for pair in pairs] == [True, False, True, False]
        assert all(0 <= pair["similarity"] <= same["similarity"] for pair in pairs)

    def test_classifies_by_grpc(self, place, inside, server):
        done = siamese("classify", "--held-out", "12", *server)
        assert done.exit_code == 0, done.everything
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == 12
        assert sum(answer["label"] == answer["truth"] for answer in answers) >= 8  # 4 by chance
        for answer in answers:
            assert list(answer["scores"].values()) == sorted(
                answer["scores"].values(), reverse=True
            )
            assert next(iter(answer["scores"])) == answer["label"]
            assert all((place / "data" / source).is_file() for source in answer["nearest"])


@pytest.mark.slow
def test_a_class_is_enrolled_without_training(place, inside):
    import tensorflow as tf

    write_classes(place / "more", classes=4, each=5, size=24, spread=60)
    before = versions(place)
    done = siamese("enroll", "--model", "runs/few/serving", "--images", "more/class-3",
                   "--output", "enrolled", "--json")  # fmt: skip
    assert done.exit_code == 0, done.everything
    told = json.loads(done.stdout)
    assert told["classes"]["class-3"] == 5
    version = place / told["version"]
    assert int(version.name) > int(before[-1])
    model = tf.saved_model.load(str(version))
    images = [(place / f"more/class-3/{i}.png").read_bytes() for i in range(5)]
    answer = model.signatures["classify"](image=tf.constant(images))
    assert b"class-3" in answer["classes"].numpy()
    # Each is nearest to itself.
    assert answer["nearest"].numpy()[:, 0].tolist() == [b"class-3/%d.png" % i for i in range(5)]
    assert versions(place) == before


@pytest.mark.slow
def test_nothing_new_runs_nothing_and_pushes_nothing(place):
    before = versions(place)
    assert run_here(place, "config.yaml").exit_code == 0
    _, outcome = outcomes(place)
    assert outcome.pop("latest_blessed_model") == "done"
    assert set(outcome.values()) == {"cached"}
    assert versions(place) == before


@pytest.mark.slow
def test_a_model_below_its_threshold_is_not_pushed(place, inside):
    before = versions(place)
    done = run_here(
        place, "config.yaml", "--set", "thresholds.recall=1", "--set", "thresholds.precision=1"
    )
    assert done.exit_code == 3
    assert "Not blessed: " in done.stdout
    summary, outcome = outcomes(place)
    assert any("required at least 1" in reason for reason in summary["verdict"]["reasons"])
    # The Evaluator's own word is among them.
    assert any("by TFMA: it is 0." in reason for reason in summary["verdict"]["reasons"])
    # Other thresholds invalidate the evaluation and nothing before it.
    assert {name for name, how in outcome.items() if how == "done"} == {
        "latest_blessed_model",
        "Evaluator",
        "Judge",
        "Pusher",
    }
    assert versions(place) == before
    assert siamese("gate", "runs/few").exit_code == 3
    assert siamese("gate", "runs/few", "--run", "previous").exit_code == 0
    # By its own thresholds the same model is good enough.
    found = siamese("gate", "config.yaml")
    assert found.exit_code == 0
    assert "by which it was not blessed" in found.everything


@pytest.mark.slow
def test_bad_images_stop_the_run_in_words(place, inside):
    bad = place / "data" / "class-3"
    bad.mkdir()
    try:
        (bad / "only.png").write_bytes((place / "data/class-0/0.png").read_bytes()[:-40])
        done = run_here(place, "config.yaml")
    finally:
        (bad / "only.png").unlink()
        bad.rmdir()
    assert done.exit_code == 1
    assert "Failed." in done.stderr
    assert "class 'class-3' has no usable image" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "class-3/only.png is cut off or damaged" in done.stdout
    assert "failed in DataCheck" in siamese("show", "config.yaml").stdout


@pytest.mark.slow
def test_a_network_that_cannot_be_had_is_refused_before_any_component_runs(place):
    done = run_here(place, "config.yaml", "--set", "model.backbone=Resnet50")
    assert done.exit_code == 1
    assert "'Resnet50' is not in keras.applications; did you mean 'ResNet50'" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert (
        "ImageExampleGen" not in (max((place / "runs/few/runs").iterdir()) / "log.txt").read_text()
    )


def test_a_block_larger_than_the_split_is_refused_at_once(place, inside):
    done = siamese("run", "config.yaml", "--set", "pairs.train.images_per_class=13")
    assert done.exit_code == 2
    assert "images_per_class: 13 is more" in done.stderr


@pytest.mark.slow
def test_a_search_on_other_pairs_is_compared_with_the_last_blessed_model(place):
    [enrolled] = (place / "enrolled").iterdir()
    shutil.copytree(enrolled, place / "runs/few/serving" / enrolled.name)
    time.sleep(1)  # versions are seconds
    change = ["--set", "pairs.train.passes=2", "--set", "thresholds.change.auc=-1",
              "--set", "tuner.enabled=true", "--set", "tuner.trials=2", "--set", "tuner.epochs=1",
              "--set", "tuner.algorithm=random"]  # fmt: skip
    # Without a server, InfraCheck still asks for the enrolled classes.
    done = run_here(place, "config.yaml", *change, *UNSERVED)
    assert done.exit_code == 0, done.everything
    assert "Found by the tuner" in done.stdout
    summary, outcome = outcomes(place)
    assert outcome["InfraCheck"] == "done"
    [best] = (place / "runs/few/pipeline/Tuner/best_hyperparameters").glob("*")
    found = json.loads((best / "best_hyperparameters.txt").read_text())["values"]
    assert summary["training"]["hyperparameters"] == found
    compared = [c for c in summary["verdict"]["checks"] if "last blessed model" in c["metric"]]
    assert [check["outcome"] for check in compared] == ["passed"]
    assert {name for name, how in outcome.items() if how == "cached"} == {
        "ImageExampleGen",
        "StatisticsGen",
        "ImageSchemaGen",
        "ExampleValidator",
        "DataCheck",
        "Transform",
    }
    assert len(versions(place)) == 3
    assert "Enrolled classes, carried over: class-3 (5 images)." in done.stdout
    pushed = read_enrolled_images(place / "runs/few/serving" / versions(place)[-1])
    assert {one.label for one in pushed} == {"class-3"}
