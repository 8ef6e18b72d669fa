"""The component's executor on tiny models, over the whole table of outcomes."""

import hashlib
import json
import logging
import os
from collections import Counter

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
from judge_views import clouds
from sample_images import encoded, picture
from tfx.components.pusher.executor import Executor as Pusher
from tfx.types import artifact_utils, standard_artifacts

from base.errors import DataError
from components.image_example_gen.report import IngestionReport
from components.judge import embedding, embedding_on_beam, executor, unknown_images
from components.judge.component import Judge
from components.judge.exported_model import JudgedModel, ModelError
from components.judge.judgement_files import (
    read_image_outcomes,
    read_judgement,
    read_pair_outcomes,
)  # fmt: skip
from components.judge.last_blessed import last_served
from images import image_folder
from judging.gate import LAST_BLESSED, PRETRAINED_ENCODER, RAW_PIXELS
from judging.settings import JudgeSettings, Thresholds
from pipeline.config.sections import Beam
from records import features, training_keys
from records.example import make_example
from records.lost import RecordsLost
from trainer.export.pretrained_encoder import FOLDER

SIZE = 12
CLASSES = 4


class StandIn(tf.Module):
    """Takes an image for 12 numbers, and embeds it as these times a matrix."""

    def __init__(self, matrix, pixels=False, same=0.4, known=0.4, each=8, seen=(), limit=np.inf):
        super().__init__()
        self.limit = limit
        if seen is not None:
            self.training_keys = tf.Variable(np.array(seen, "int64"))
        points, labels = clouds(CLASSES, each, 0.3, seed=100)
        self.matrix, self.pixels = tf.constant(matrix, tf.float32), pixels
        self.support = tf.Module()
        self.support.embeddings = tf.Variable(points @ np.asarray(matrix, "float32"))
        self.support.labels = tf.Variable([x.encode() for x in labels])
        self.support.sources = tf.Variable([b"%d.png" % i for i in range(len(labels))])
        if pixels:
            self.support.pixels = tf.Variable(_as_pixels(points).numpy())
        self.same, self.known = same, known

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def embed(self, image):
        valid = tf.strings.length(image) == 4 * SIZE
        whole = tf.where(valid, image, tf.constant(b"\0" * 4 * SIZE))
        numbers = tf.io.decode_raw(whole, tf.float32, fixed_length=4 * SIZE)
        valid &= tf.reduce_max(numbers, axis=1) < self.limit
        answer = {"embedding": numbers @ self.matrix, "valid": valid}
        return {**answer, "pixels": _as_pixels(numbers)} if self.pixels else answer

    @tf.function(input_signature=[])
    def thresholds(self):
        return {"same": tf.constant(self.same), "known": tf.constant(self.known)}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32)] * 2)
    def similarity(self, left, right):
        return tf.exp(-tf.norm(left - right, axis=1))


def _as_pixels(numbers):
    values = tf.cast(tf.clip_by_value(numbers * 60 + 60, 0, 255), tf.uint8)
    return tf.reshape(values, [-1, 2, 2, 3])


GOOD = np.eye(SIZE)
WORSE = np.diag([1, 1, 0, 0, *[0] * 8])  # two of the four classes look alike to it
COLLAPSED = np.zeros((SIZE, SIZE))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Directories of saved models, made once."""
    made = {}

    def directory(name, matrix=GOOD, **options):
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            model = StandIn(matrix, **options)
            where = str(made[name] / "Format-Serving")
            tf.saved_model.save(model, where, signatures={"embed": model.embed})
        return made[name]

    return directory


def hash_of(point):
    return hashlib.sha256(point.astype("<f4").tobytes()).hexdigest().encode()


def keys_of(each, chosen):
    """Keys of some of `write_images`' images, by their places."""
    points, _ = clouds(CLASSES, each, 0.2, seed=0)
    return [training_keys.key(hash_of(points[i])) for i in chosen]


def write_images(folder, each, spread, labels=None):
    points, names = clouds(CLASSES, each, spread, seed=0)
    below = folder / "Split-test"
    below.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(below / "data.gz"), options="GZIP") as writer:
        for i, (point, label) in enumerate(zip(points, labels or names, strict=True)):
            record = {
                features.IMAGE: [point.astype("<f4").tobytes()],
                features.LABEL: [label.encode()],
                features.SOURCE: [b"%s/%d.png" % (label.encode(), i)],
                features.IMAGE_ID: [b"%04d" % ((i * 7) % len(names))],
                features.GROUP: [b"group %d" % i],
                features.CONTENT_HASH: [hash_of(point)],
            }
            writer.write(
                make_example(record, {features.FOLD: [features.NO_FOLD]}).SerializeToString()
            )
    return folder


class Judging:
    """What one run of the executor gave."""

    def __init__(self, judgement, blessing, folder):
        self.judgement, self.blessing, self.folder = judgement, blessing, folder

    @property
    def outcome(self):
        assert self.blessing.get_string_custom_property("verdict") == self.judgement.verdict.outcome
        blessed = self.judgement.verdict.outcome == "blessed"
        assert self.blessing.get_int_custom_property("blessed") == int(blessed)
        [file] = os.listdir(self.blessing.uri)
        assert file == ("BLESSED" if blessed else "NOT_BLESSED")
        # The stock Pusher obeys it.
        assert Pusher().CheckBlessing({"model_blessing": [self.blessing]}) is blessed
        return self.judgement.verdict.outcome


@pytest.fixture
def judging(tmp_path, saved):
    def run(model, each=12, before=None, pretrained=False, thresholds="default", served="",
            spread=0.2, evaluator=None, labels=None, **settings):  # fmt: skip
        def artifact(kind, uri):
            made = kind()
            made.uri = str(uri)
            made.id = len(str(uri))
            return made

        examples = artifact(standard_artifacts.Examples,
                            write_images(tmp_path / "examples", each, spread, labels))  # fmt: skip
        examples.split_names = artifact_utils.encode_split_names(list(features.SPLITS))
        evaluator_blessing = artifact(standard_artifacts.ModelBlessing, tmp_path / "evaluator")
        if evaluator is not None:
            evaluator_blessing.set_int_custom_property("blessed", evaluator)
        inputs = {
            "examples": [examples],
            "model": [artifact(standard_artifacts.Model, model)],
            "evaluation": [artifact(standard_artifacts.ModelEvaluation, tmp_path / "evaluation")],
            "evaluator_blessing": [evaluator_blessing],
        }
        if before:
            inputs["last_blessed_model"] = [artifact(standard_artifacts.Model, before)]
        if pretrained:
            run_folder = tmp_path / "model_run"
            run_folder.mkdir()
            source = saved("pretrained", np.diag([1, 1, 1, 0] + [0] * 8), pixels=True)
            (run_folder / FOLDER).symlink_to(source / "Format-Serving")
            inputs["model_run"] = [artifact(standard_artifacts.ModelRun, run_folder)]
        outputs = {
            "judgement": [artifact(standard_artifacts.ModelEvaluation, tmp_path / "judgement")],
            "blessing": [artifact(standard_artifacts.ModelBlessing, tmp_path / "blessing")],
        }
        for [output] in outputs.values():
            os.makedirs(output.uri)
        wanted = Thresholds() if thresholds == "default" else thresholds
        properties = {
            "thresholds": wanted.model_dump_json() if wanted else "",
            "settings": JudgeSettings(**settings).model_dump_json(),
            "last_blessed_root": str(served),
            "held_out_partners": 16,
            "held_out_max_images": 500,
            "pair_seed": 0,
            "max_pixels": 10_000,
            "current_component_id": "Judge",
        }
        spec = Judge.EXECUTOR_SPEC
        context = spec.executor_class.Context(
            # Not by arguments: for these, TFX packs itself for workers elsewhere, for seconds.
            make_beam_pipeline_fn=lambda: beam.Pipeline(argv=list(Beam().args))
        )
        spec.executor_class(context).Do(inputs, outputs, properties)
        folder = str(tmp_path / "judgement")
        return Judging(read_judgement(folder), outputs["blessing"][0], folder)

    return run


def test_a_good_model_is_blessed(judging, saved):
    found = judging(saved("good"))
    assert found.outcome == "blessed"
    assert found.judgement.images == 48
    assert found.judgement.metrics["class_accuracy"].value > 0.9
    assert found.judgement.compared == {}
    # The first one is compared with none.
    assert [c.outcome for c in found.judgement.verdict.checks].count("skipped") == 1
    assert found.blessing.get_string_custom_property("current_model") == str(saved("good"))
    assert found.blessing.get_string_custom_property("component_id") == "Judge"
    lines = list(read_image_outcomes(found.folder))
    assert [line.id for line in lines] == [f"{i:04d}" for i in range(48)]
    right = np.mean([line.predicted == line.label for line in lines])
    assert right == found.judgement.metrics["class_accuracy"].value
    pairs = list(read_pair_outcomes(found.folder))
    assert len(pairs) == sum(found.judgement.pairs.values())


def test_a_worse_one_than_the_last_blessed_is_not(judging, saved):
    thresholds = Thresholds(auc=0.5, class_accuracy=None, worst_class_recall=None)
    found = judging(saved("worse", WORSE), before=saved("good"), thresholds=thresholds)
    assert found.outcome == "not_blessed"
    [reason] = found.judgement.verdict.reasons
    assert reason.startswith("auc against the last blessed model -0.")
    assert found.judgement.compared[LAST_BLESSED].differences["auc"].high < 0
    lines = read_image_outcomes(found.folder)
    assert all(set(line.others) == {LAST_BLESSED} for line in lines)


def test_a_better_one_than_the_last_blessed_is(judging, saved):
    found = judging(saved("good"), before=saved("worse", WORSE))
    assert found.outcome == "blessed"
    assert found.judgement.compared[LAST_BLESSED].differences["class_accuracy"].low > 0
    assert found.blessing.get_string_custom_property("baseline_model") == str(saved("worse"))


def test_without_a_resolver_the_served_model_is_the_last_blessed(judging, saved, tmp_path):
    base = tmp_path / "serving"
    base.mkdir()
    (base / "5").symlink_to(saved("worse", WORSE) / "Format-Serving")
    (base / "12").symlink_to(saved("good") / "Format-Serving")  # this very model, pushed before
    (base / "13").mkdir()  # not whole yet
    (base / "junk").mkdir()
    found = judging(saved("good"), served=base)
    assert found.judgement.compared[LAST_BLESSED].model == str(base / "5")
    assert last_served(str(base), str(saved("worse") / "Format-Serving")) == str(base / "12")
    assert last_served(str(tmp_path / "nowhere"), "x") is None


def test_a_last_blessed_model_of_an_older_kind_is_passed_over(judging, saved, tmp_path):
    old = tf.Module()
    old.model = StandIn(GOOD)
    signatures = {"embed": old.model.embed}
    tf.saved_model.save(old, str(tmp_path / "old/Format-Serving"), signatures=signatures)
    assert judging(saved("good"), before=tmp_path / "old").judgement.compared == {}
    with pytest.raises(ModelError, match="has no support set, as models exported by an older"):
        JudgedModel(str(tmp_path / "old/Format-Serving"))
    with pytest.raises(ModelError, match="is no SavedModel"):
        JudgedModel(str(tmp_path))


def test_a_last_blessed_model_is_compared_on_images_that_it_has_not_seen(judging, saved, caplog):
    before = saved("learned", WORSE, seen=keys_of(12, range(0, 48, 3)))
    with caplog.at_level(logging.INFO):
        found = judging(saved("good"), before=before).judgement
    compared = found.compared[LAST_BLESSED]
    assert (compared.left_out, compared.differences["class_accuracy"].images) == (16, 32)
    assert compared.own["class_accuracy"].images == 32
    assert found.metrics["class_accuracy"].images == found.images == 48
    assert found.invalid == {}
    [limit] = found.limits
    assert limit.startswith("compared on 32 of 48 test images: the last blessed")
    assert limit in caplog.text
    assert "does not say" not in caplog.text


def test_one_that_has_seen_all_of_them_decides_nothing(judging, saved):
    before = saved("knows all", seen=keys_of(12, range(48)))
    found = judging(saved("good"), before=before)
    assert found.outcome == "undecided"
    assert "compared on 0 of 48 test images" in found.judgement.verdict.reasons[0]


def test_one_that_does_not_say_is_compared_on_all(judging, saved, caplog):
    found = judging(saved("good"), before=saved("unsaid", WORSE, seen=None)).judgement
    assert found.compared[LAST_BLESSED].left_out == 0
    assert found.compared[LAST_BLESSED].differences["class_accuracy"].images == 48
    assert found.limits == ()
    assert "the last blessed model does not say which images it was trained on" in caplog.text


def test_images_that_the_candidate_has_seen_are_excluded(judging, saved):
    found = judging(saved("some", seen=keys_of(12, (0, 1, 47)))).judgement
    assert found.images == 45
    assert found.invalid == dict.fromkeys(
        ("c0/0.png", "c0/1.png", "c3/47.png"), "the model was trained on it"
    )


def test_a_candidate_that_has_seen_all_of_them_is_not_judged(judging, saved):
    with pytest.raises(DataError, match=r"none of the 48 test images .* c0/0\.png: the model was"):
        judging(saved("knows all", seen=keys_of(12, range(48))))


def test_a_collapsed_encoder_is_not_blessed(judging, saved):
    found = judging(saved("collapsed", COLLAPSED), thresholds=Thresholds(auc=0.4))
    assert found.outcome == "not_blessed"
    assert found.judgement.metrics["auc"].value == 0.5


def test_without_thresholds_nothing_is_blessed(judging, saved):
    found = judging(saved("good"), thresholds=None)
    assert found.outcome == "not_blessed"
    assert "no threshold is set" in found.judgement.verdict.reasons[0]


def test_too_few_images_are_undecided(judging, saved):
    wanted = Thresholds(class_accuracy={"at_least": 0.95, "bound": "lower"})
    found = judging(saved("good"), each=3, thresholds=wanted)
    assert found.outcome == "undecided"
    assert "12 test images are too few to decide: about" in found.judgement.verdict.reasons[-1]


def test_labels_that_mean_nothing_are_not_blessed(judging, saved):
    names = np.random.default_rng(0).permutation(clouds(CLASSES, 12, 0.3, 0)[1]).tolist()
    found = judging(saved("good"), labels=names, thresholds=Thresholds(auc=0.0))
    assert found.outcome != "blessed"


def test_the_evaluators_word_counts(judging, saved, monkeypatch):
    monkeypatch.setattr(
        "components.judge.tfma_verdict.tfma.load_validation_result", lambda _: _Failed
    )
    found = judging(saved("good"), evaluator=0)
    assert found.outcome == "not_blessed"
    assert found.judgement.verdict.reasons == ("auc by TFMA: it is 0.800",)


class _Failed:
    """As TFMA's proto, which is heavy to build."""

    from tensorflow_model_analysis.proto import validation_result_pb2

    _failure = validation_result_pb2.ValidationFailure()
    _failure.metric_key.name = "auc"
    _failure.metric_value.double_value.value = 0.8
    _failure.metric_threshold.value_threshold.lower_bound.value = 0.9
    metric_validations_per_slice = [
        validation_result_pb2.MetricsValidationForSlice(failures=[_failure])
    ]


def test_an_evaluator_that_blessed_adds_nothing(judging, saved):
    assert judging(saved("good"), evaluator=1).outcome == "blessed"


def test_reference_methods_are_judged_on_the_same_images(judging, saved):
    wanted = Thresholds(auc=0.5, beats_pretrained_encoder=True)
    found = judging(saved("good"), pretrained=True, thresholds=wanted, spread=0.4)
    compared = found.judgement.compared
    assert set(compared) == {PRETRAINED_ENCODER, RAW_PIXELS}
    assert found.outcome == "blessed"
    raw = compared[RAW_PIXELS].metrics["class_accuracy"].value
    assert 0.5 < raw < 1
    assert set(compared[PRETRAINED_ENCODER].metrics) >= {"class_accuracy", "open_set_auc"}
    lines = read_image_outcomes(found.folder)
    assert all(set(line.others) == {PRETRAINED_ENCODER, RAW_PIXELS} for line in lines)


def test_a_model_below_its_pretrained_encoder_is_not_blessed(judging, saved):
    wanted = Thresholds(auc=0.1, beats_pretrained_encoder=True)
    assert (
        judging(saved("worse", WORSE), pretrained=True, thresholds=wanted).outcome == "not_blessed"
    )


def test_reference_methods_can_be_left_out(judging, saved):
    assert judging(saved("good"), pretrained=True, reference_methods=False).judgement.compared == {}


def test_each_image_is_encoded_once_by_each_model(judging, saved, monkeypatch):
    passes, embed = Counter(), JudgedModel.embed

    def counted(self, images):
        passes.update((self.directory, image) for image in images)
        return embed(self, images)

    monkeypatch.setattr(JudgedModel, "embed", counted)
    judging(saved("good"), before=saved("worse", WORSE), pretrained=True, each=30)
    assert len(passes) == 3 * 120
    assert set(passes.values()) == {1}


@pytest.fixture
def unknown(tmp_path, monkeypatch):
    """A folder of four images of none of the classes, read as numbers, and of unusable files."""
    folder = tmp_path / "unknown"
    (folder / "below").mkdir(parents=True)
    for i in range(3):
        (folder / f"{i}.png").write_bytes(encoded(picture(9, i)))
    (folder / "below" / "3.jpg").write_bytes(encoded(picture(9, 3), "JPEG"))
    (folder / "notes.txt").write_text("no image")
    (folder / "large.png").write_bytes(encoded(picture(9, 4, 120)))
    (folder / "gone.png").symlink_to(tmp_path / "nowhere")
    for name in (".hidden", "Thumbs.db", "desktop.ini"):
        (folder / name).write_text("x")
    points, _ = clouds(1, 4, 0.3, 3, first=9)

    def as_numbers(source, max_pixels, read=unknown_images.read):
        one = read(source, max_pixels)
        if not isinstance(one, embedding.Item):
            return one
        number = int(os.path.basename(source)[:1])
        return one._replace(image=points[number].astype("<f4").tobytes())

    monkeypatch.setattr(unknown_images, "read", as_numbers)
    return folder


def test_unknown_images_of_a_folder(judging, saved, unknown):
    found = judging(saved("good"), unknown=str(unknown)).judgement
    assert found.unknown_by == "folder"
    assert found.metrics["open_set_auc"].images == 52
    assert found.metrics["open_set_auc"].value > 0.9
    assert found.images == 48
    assert found.invalid == {
        f"{unknown}/gone.png": "cannot be read: No such file or directory",
        f"{unknown}/large.png": "has 120 x 120 pixels, more than data.max_pixels (10000) allows",
        f"{unknown}/notes.txt": "is no image, or of a kind that cannot be read",
    }


def test_an_unknown_images_path_may_be_no_text(unknown):
    os.close(os.open(os.fsencode(unknown) + b"/\xff.png", os.O_CREAT | os.O_WRONLY))
    [odd] = [path for path in unknown_images.files(str(unknown)) if "\udcff" in path]
    found = unknown_images.read(os.fsencode(odd), 100)
    assert found == (os.fsencode(odd), "has a name that is not UTF-8; rename it")


def test_unknown_images_that_the_model_was_trained_on_are_excluded(judging, saved, unknown):
    keys = [training_keys.key_of_file((unknown / f"{i}.png").read_bytes()) for i in range(3)]
    candidate, before = saved("met", seen=keys[:1]), saved("met before", WORSE, seen=keys[1:])
    found = judging(candidate, before=before, unknown=str(unknown)).judgement
    assert found.invalid[f"{unknown}/0.png"] == "the model was trained on it"
    assert found.metrics["open_set_auc"].images == 51
    compared = found.compared[LAST_BLESSED]
    assert (compared.left_out, compared.unknown_left_out) == (0, 2)
    assert compared.differences["open_set_auc"].images == 49


def test_a_folder_without_a_usable_unknown_image_is_refused(judging, saved, unknown):
    keys = [training_keys.key_of_file(file.read_bytes()) for file in (unknown / "below").iterdir()]
    for i in range(3):
        (unknown / f"{i}.png").unlink()
    with pytest.raises(DataError) as told:
        judging(saved("met them", seen=keys), unknown=str(unknown))
    assert str(told.value) == (
        f"judge.unknown: none of the 4 files in {unknown} can be used as an image: gone.png: "
        "cannot be read: No such file or directory; large.png: has 120 x 120 pixels, more than "
        "data.max_pixels (10000) allows; notes.txt: is no image, or of a kind that cannot be read; "
        "and 1 more. Put images of none of the classes there, or leave judge.unknown out"
    )


def test_lost_unknown_images_are_an_error(judging, saved, unknown, monkeypatch):
    monkeypatch.setattr(embedding_on_beam, "ReadUnknown", _Loses)
    with pytest.raises(RecordsLost, match="4 of 7 unknown images were read: Beam's runner"):
        judging(saved("good"), unknown=str(unknown))


class _Loses(embedding_on_beam.ReadUnknown):
    """The reasons, on the way."""

    def expand(self, sources):
        items, reasons = super().expand(sources)
        return items, reasons | beam.Map(lambda _: "{}")


def test_the_fingerprint_follows_the_unknown_images(unknown):
    assert (unknown / "gone.png").is_symlink()  # what cannot be read does not stop it
    os.close(os.open(os.fsencode(unknown) + b"/\xff.png", os.O_CREAT | os.O_WRONLY))
    before = image_folder.fingerprint(str(unknown))
    assert image_folder.fingerprint(str(unknown)) == before
    (unknown / "0.png").write_bytes(encoded(picture(9, 50)))
    assert image_folder.fingerprint(str(unknown)) != before
    assert image_folder.fingerprint(str(unknown / "nowhere")) == ""


def test_embeddings_lost_on_the_way_are_told_of(judging, saved, monkeypatch):
    counts = {"test": 49}
    report = IngestionReport(
        root="", files=49, reencoded=0, expected_classes=["a"], classes={"a": counts},
        excluded=[], near_duplicates=[],
    )  # fmt: skip
    monkeypatch.setattr(executor, "_report", lambda _: report)
    with pytest.raises(RecordsLost, match="embeddings are of 48 of 49 test images: Beam's runner"):
        judging(saved("good"))


def test_an_image_that_the_model_takes_for_none_is_named(judging, saved, monkeypatch):
    def spoiled(record, item=embedding.item):
        one = item(record)
        return one._replace(image=b"junk") if one.id == b"0000" else one

    monkeypatch.setattr(embedding, "item", spoiled)
    found = judging(saved("good"))
    assert found.judgement.images == 47
    assert list(found.judgement.invalid.values()) == ["the model does not accept it as an image"]


def test_an_older_models_smaller_limit_takes_no_test_image_from_the_candidate(judging, saved):
    found = judging(saved("good"), before=saved("small limit", limit=1.2)).judgement
    assert (found.images, found.invalid) == (48, {})
    compared = found.compared[LAST_BLESSED]
    assert 0 < compared.not_accepted < 24
    assert compared.differences["class_accuracy"].images == 48 - compared.not_accepted
    assert "does not accept the others" in found.limits[0]


def test_the_same_again_is_the_same(judging, saved, tmp_path):
    one = judging(saved("good"), pretrained=True)
    text = (tmp_path / "judgement/judgement.json").read_text()
    assert json.loads(text)["verdict"]["outcome"] == one.outcome
    assert len(text) < 60_000
