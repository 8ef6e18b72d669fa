"""Classes are added."""

import numpy as np
import tensorflow as tf
from exported_model import export, make_model, pixels, write_images
from same_answers import assert_same_answers
from sample_images import encoded, picture

from components.judge.exported_model import JudgedModel
from judging.classifier import best_scores, nearest_centroid
from records import training_keys
from serving.embedded.deadline import Deadline
from serving.embedded.servable import Servable
from serving.enroll import enroll
from storage.enrolled_images import read_enrolled_images, served_enrolled_images
from storage.lineage import read_lineage
from tests.serving.enroll.small_model import NEW, ask, files, queries, versions
from trainer.export import constants
from trainer.export import signatures as trainer_export


def test_a_new_class_is_known(enrolled, network):
    done = enrolled
    base = done.version.parent
    assert (done.model, done.version) == (base / "1", base / "2")
    assert done.classes == {NEW: 4, "class-0": 4, "class-1": 4, "class-2": 4}
    assert (done.added, done.removed, done.unusable) == ({NEW: 4}, [], [])
    images = queries(7, 0, 1, 2)
    answer = ask(done.version, images)
    assert [label.decode() for label in answer["label"]] == (
        [NEW] * 5 + ["class-0"] * 5 + ["class-1"] * 5 + ["class-2"] * 5
    )
    assert answer["known"].all()
    assert {name.decode().split("/")[0] for name in answer["nearest"][0, :3]} == {NEW}
    support = [pixels(label, range(4)) for label in (0, 1, 2, 7)]
    labels = np.repeat(["class-0", "class-1", "class-2", NEW], 4)
    decoded = np.stack([tf.io.decode_png(image).numpy() for image in images])
    expected = nearest_centroid(
        np.asarray(network(np.concatenate(support))), labels, np.asarray(network(decoded))
    )
    assert [label.decode() for label in answer["label"]] == expected.tolist()
    assert versions(base) == ["1", "2"]
    lineage = read_lineage(done.version)
    assert (lineage.made_by, lineage.parent) == ("enrolment", "1")
    assert lineage.changes == (f"added 4 images to '{NEW}'",)
    assert lineage.classes == done.classes
    assert lineage.verdict is None


def test_classes_are_scored_as_before(network, tmp_path):
    """The graph does it, and the Judge is told."""
    export(network, tmp_path / "models/1", scored_by="margin")
    images = write_images(tmp_path / NEW, 7, range(4))
    done = enroll(tmp_path / "models", {NEW: images})
    before, model = (JudgedModel(str(x)) for x in (done.model, done.version))
    assert (before.support.scored_by, model.support.scored_by) == ("margin", "margin")
    asked = queries(7, 0)
    answer = ask(done.version, asked)
    embedded = model.embed(asked).embeddings
    best = best_scores(model.support.embeddings, model.support.labels, embedded)
    np.testing.assert_allclose(answer["scores"][:, 0], best.by("margin"), atol=1e-5)
    assert (np.abs(answer["scores"][:, 0] - best.by("cosine")) > 1e-3).all()


def test_nothing_but_the_support_set_is_changed(enrolled, exported):
    old, late = files(enrolled.model), files(enrolled.version)
    assert old == {**files(exported), "assets/variables.txt": b"an asset"}  # never in place
    changed = {name for name in old if late.get(name) != old[name]}
    assert late.keys() - old.keys() == {
        "assets.extra/enrolled_images.jsonl",
        "assets.extra/lineage.json",
    }
    assert changed == {
        "fingerprint.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    }
    assert "assets.extra/tf_serving_warmup_requests" in late
    one, other = (ask(v, queries(0, 7), "embed") for v in (enrolled.model, enrolled.version))
    for name, value in one.items():
        np.testing.assert_array_equal(other[name], value)


def test_several_classes_at_once(base, new, tmp_path):
    done = enroll(base, {NEW: new, "other": write_images(tmp_path / "o", 8, [0])}, ["class-0"])
    assert done.classes == {NEW: 4, "class-1": 4, "class-2": 4, "other": 1}


def test_the_images_are_kept_in_the_version(base, new, tmp_path):
    other = write_images(tmp_path / "other", 8, range(3))
    done = enroll(enroll(base, {NEW: new}).version.parent, {"other": other})
    kept = read_enrolled_images(done.version)
    assert [one.label for one in kept] == [NEW] * 4 + ["other"] * 3
    assert kept[0] == (
        NEW,
        f"{NEW}/0.png",
        training_keys.key_of_file((new / "0.png").read_bytes()),
        (new / "0.png").read_bytes(),
    )
    assert served_enrolled_images(str(base)) == kept
    assert len(read_enrolled_images(enroll(base, remove=[NEW]).version)) == 3
    last = enroll(base, remove=["other"]).version
    assert not (last / "assets.extra/enrolled_images.jsonl").exists()


def test_versions_follow_each_other(base, new, tmp_path):
    other = write_images(tmp_path / "other", 8, range(3))
    enroll(base, {NEW: new})
    enroll(base, {"other": other})
    assert enroll(base, remove=["class-1"]).version == base / "4"
    answer = ask(base / "4", queries(7, 8, 0))
    assert [label.decode() for label in answer["label"]] == [NEW] * 5 + ["other"] * 5 + [
        "class-0"
    ] * 5
    assert b"class-1" not in answer["classes"]
    assert answer["classes"].shape == (15, 4)
    # From an older version, when it is named.
    assert enroll(base / "1", {NEW: new}).classes.keys() == {NEW, "class-0", "class-1", "class-2"}


def test_a_session_answers_the_same(enrolled):
    images = [*queries(7, 0), b"junk"]
    expected = ask(enrolled.version, images)
    servable = Servable(str(enrolled.version))
    inputs = {"image": np.array(images, object)}
    answer = servable.signatures["classify"].run(inputs, Deadline())
    servable.close()
    assert_same_answers(expected, answer)


def test_a_model_whose_weights_are_variables(new, tmp_path, monkeypatch):
    monkeypatch.setattr(
        trainer_export, "to_constants", lambda *a: constants.to_constants(*a, most_bytes=0)
    )
    export(make_model(tmp_path, embedding_size=32), tmp_path / "models/1")
    done = enroll(tmp_path / "models", {NEW: new})
    names = [name for name, _ in tf.train.list_variables(str(done.version / "variables/variables"))]
    assert any(name.startswith("_variables/") for name in names)
    assert {label.decode() for label in ask(done.version, queries(7))["label"]} == {NEW}


def test_images_are_made_canonical(base, tmp_path):
    turned = tmp_path / "turned"
    turned.mkdir()
    upright = picture(7, 0, 16, 60)
    exif = upright.getexif()
    exif[0x0112] = 6  # to be turned clockwise
    upright.rotate(90, expand=True).save(turned / "a.png", exif=exif)
    (turned / "b.tiff").write_bytes(encoded(upright, "TIFF"))
    seen = []
    enroll(base, {NEW: turned}, check=lambda _, images: seen.extend(images))
    for image in seen:
        np.testing.assert_array_equal(tf.io.decode_image(image), np.asarray(upright))
    assert len(seen) == 2
