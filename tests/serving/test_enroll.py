"""On a small exported model, whose classes are class-0, class-1 and class-2."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from encoded_images import png_bomb
from exported_model import export, make_model, pixels, write_images
from same_answers import assert_same_answers
from sample_images import encoded, picture

from judging.classifier import nearest_centroid
from records import training_keys
from serving import class_images
from serving import enroll as module
from serving.class_images import EnrollError, Unusable
from serving.embedded.deadline import Deadline
from serving.embedded.servable import Servable
from serving.enroll import Changes, enroll
from serving.next_version import VersionError
from storage.enrolled_images import read_enrolled_images, served_enrolled_images
from storage.lineage import read_lineage
from tests.serving.embedded.processes import Server, eventually
from trainer.export import constants
from trainer.export import signatures as trainer_export

NEW = "Wäsche"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "1"
    export(network, path)
    return path


@pytest.fixture(scope="module")
def loaded(exported):
    """For what ends before anything is changed."""
    return tf.saved_model.load(str(exported))


@pytest.fixture
def base(exported, tmp_path):
    """Base path of version 1."""
    base = tmp_path / "models"
    shutil.copytree(exported, base / "1")
    return base


@pytest.fixture(scope="module")
def enrolled(exported, tmp_path_factory):
    """Version 1 with a new class added; not to be changed."""
    folder = tmp_path_factory.mktemp("enrolled")
    shutil.copytree(exported, folder / "models/1")
    (folder / "models/1/assets/variables.txt").write_text("an asset")
    return enroll(folder / "models", {NEW: write_images(folder / NEW, 7, range(4))})


@pytest.fixture
def new(tmp_path):
    """Four images of a class that the model has never seen."""
    return write_images(tmp_path / NEW, 7, range(4))


def queries(*labels):
    return [encoded(picture(label, 100 + i, 16, 60)) for label in labels for i in range(5)]


def ask(version, images, signature="classify"):
    loaded = tf.saved_model.load(str(version))
    answer = loaded.signatures[signature](image=tf.constant(images))
    return {name: value.numpy() for name, value in answer.items()}


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def versions(base):
    return sorted(path.name for path in base.iterdir())


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


def test_single_images_are_removed_and_moved(enrolled, base):
    shutil.copytree(enrolled.version, base / "2")
    moved = f"{NEW}/3.png"
    changes = Changes(
        ["class-0/1.png", "class-0/2.png"], {"class-1/0.png": "other", moved: "other"}
    )
    done = enroll(base, changes=changes)
    expected = {NEW: 3, "class-0": 2, "class-1": 3, "class-2": 4, "other": 2}
    assert (done.classes, done.changed) == (expected, 4)
    assert done.before == {NEW: (4, 4), "class-0": (4, 4), "class-1": (4, 4), "class-2": (4, 4)}
    assert done.after["class-0"] == (2, 2)
    assert done.after["other"][1] == 2
    support = tf.saved_model.load(str(done.version)).support
    by_name = dict(zip(support.sources.numpy().tolist(), support.labels.numpy(), strict=True))
    assert by_name[b"class-1/0.png"] == b"other"
    assert b"class-0/1.png" not in by_name
    kept = {one.source: one.label for one in read_enrolled_images(done.version)}
    assert (len(kept), kept[moved]) == (4, "other")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (Changes(["class-0/9.png"]), r"has no support image 'class-0/9\.png'"),
        (Changes((), {"class-0/1.png": " "}), "a class's name is one line"),
        (Changes(), "nothing to do"),
        (
            Changes([f"class-{label}/{n}.png" for label in (0, 1) for n in range(4)]),
            "would be left with 'class-2'",
        ),
    ],
)
def test_single_images_that_cannot_be_changed(base, changes, message):
    with pytest.raises(EnrollError, match=message):
        enroll(base, changes=changes)
    assert versions(base) == ["1"]


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


def test_the_images_are_seen_from_then_on(enrolled, base, new):
    added = {training_keys.key_of_file(file.read_bytes()) for file in new.iterdir()}
    assert len(added) == 4
    before, after = (_seen(version) for version in (enrolled.model, enrolled.version))
    assert before == [1, 2]
    assert after == sorted({1, 2} | added)
    # What was removed was learned from all the same; what cannot be used was not.
    (new / "0.png").write_bytes(b"")
    (new / "big.png").write_bytes(encoded(picture(7, 9, 80)))
    enroll(base, {NEW: new})
    last = enroll(base, remove=["class-0", NEW]).version
    assert _seen(last) == sorted(
        {1, 2} | {training_keys.key_of_file((new / f"{i}.png").read_bytes()) for i in (1, 2, 3)}
    )


def _seen(version):
    return tf.saved_model.load(str(version)).training_keys.numpy().tolist()


def test_a_model_that_does_not_say_what_it_has_seen_still_does_not(network, new, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        init = trainer_export.ServedModel.__init__

        def older(self, *arguments, **options):
            init(self, *arguments, **options)
            del self.training_keys

        patch.setattr(trainer_export.ServedModel, "__init__", older)
        export(network, tmp_path / "models/1")
    done = enroll(tmp_path / "models", {NEW: new})
    assert not hasattr(tf.saved_model.load(str(done.version)), "training_keys")
    assert {label.decode() for label in ask(done.version, queries(7))["label"]} == {NEW}


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


def test_several_classes_at_once(base, new, tmp_path):
    done = enroll(base, {NEW: new, "other": write_images(tmp_path / "o", 8, [0])}, ["class-0"])
    assert done.classes == {NEW: 4, "class-1": 4, "class-2": 4, "other": 1}


def test_a_session_answers_the_same(enrolled):
    images = [*queries(7, 0), b"junk"]
    expected = ask(enrolled.version, images)
    servable = Servable(str(enrolled.version))
    inputs = {"image": np.array(images, object)}
    answer = servable.signatures["classify"].run(inputs, Deadline())
    servable.close()
    assert_same_answers(expected, answer)


def test_a_class_is_replaced(base, new):
    done = enroll(base, {"class-0": new}, ["class-0"])
    assert done.classes == {"class-0": 4, "class-1": 4, "class-2": 4}
    answer = ask(done.version, queries(7))
    assert set(answer["label"]) == {b"class-0"}
    assert answer["nearest"][0, 0].decode().startswith(f"{NEW}/")


@pytest.mark.parametrize("extend", [True, None])
def test_a_class_is_extended(base, tmp_path, extend):
    more = write_images(tmp_path / "more", 0, [50, 51])
    done = enroll(base, {"class-0": more}, extend=extend)
    assert done.classes == {"class-0": 6, "class-1": 4, "class-2": 4}
    assert (done.added, set(ask(done.version, queries(0))["label"])) == (
        {"class-0": 2},
        {b"class-0"},
    )


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


def test_unusable_images_are_left_out_and_told(base, new):
    (new / "a.jpg").write_bytes(b"")
    (new / "b.txt").write_text("no image")
    (new / "big.png").write_bytes(encoded(picture(7, 9, 80)))
    (new / "bomb.png").write_bytes(png_bomb())
    (new / "sub").mkdir()
    (new / ".hidden").write_text("")
    (new / "THUMBS.DB").write_text("")
    done = enroll(base, {NEW: new})
    assert done.added == {NEW: 4}
    reasons = {one.file.name: one.reason for one in done.unusable}
    assert reasons.keys() == {"a.jpg", "b.txt", "big.png", "bomb.png", "sub"}
    assert reasons["a.jpg"] == "is empty"
    assert "more pixels than the data.max_pixels" in reasons["big.png"]
    assert done.unusable[0] == Unusable(new / "a.jpg", "is empty")


def test_a_class_without_a_usable_image_is_refused(base, tmp_path, monkeypatch, loaded):
    monkeypatch.setattr(module, "_load", lambda _: loaded)
    bad = tmp_path / "bad"
    bad.mkdir()
    with pytest.raises(EnrollError, match=r"bad: holds no usable image of 'bad'$"):
        enroll(base, {"bad": bad})
    for i in range(12):
        (bad / f"{i:02}.png").write_bytes(b"")
    with pytest.raises(EnrollError, match=r"(?s)bad/00\.png is empty.*09\.png.*\n  and 2 more$"):
        enroll(base, {"bad": bad})
    assert versions(base) == ["1"]


def test_an_embedding_that_is_no_number_is_not_taken(base, new, monkeypatch, loaded):
    monkeypatch.setattr(module, "_load", lambda _: loaded)
    monkeypatch.setattr(class_images.np, "isfinite", lambda row: np.zeros(row.shape, bool))
    with pytest.raises(EnrollError, match="has an embedding that is not finite"):
        enroll(base, {NEW: new})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "there is nothing to do"),
        ({"add": ["class-0"]}, "has 'class-0' already; --extend adds"),
        ({"add": ["other"], "extend": True}, "cannot extend 'other'; the classes are 'class-0', "),
        ({"add": ["class-0"], "remove": ["class-0"], "extend": True}, "cannot extend 'class-0'"),
        ({"remove": ["other"]}, "cannot remove 'other'; the classes are 'class-0', 'class-1', "),
        ({"remove": ["class-0", "class-1"]}, "would be left with 'class-2'; at least two"),
        ({"remove": ["class-0", "class-1", "class-2"]}, "would be left with no class"),
        ({"add": [" "]}, "a class's name is one line of text"),
        ({"add": ["a\nb"]}, r"'a\\nb': a class's name is one line of text"),
    ],
)
def test_what_cannot_be_done_is_said(base, new, options, message, monkeypatch, loaded):
    monkeypatch.setattr(module, "_load", lambda _: loaded)
    add = {name: new for name in options.pop("add", [])}
    with pytest.raises(EnrollError, match=message):
        enroll(base, add, **options)
    assert versions(base) == ["1"]


def test_folders_that_are_none_of_a_class(base, tmp_path, monkeypatch, loaded):
    monkeypatch.setattr(module, "_load", lambda _: loaded)
    with pytest.raises(EnrollError, match="nowhere: there is no such folder"):
        enroll(base, {"x": tmp_path / "nowhere"})
    write_images(tmp_path / "all/class-9", 9, [0])
    with pytest.raises(EnrollError, match="holds folders only"):
        enroll(base, {"x": tmp_path / "all"})


def test_models_that_are_none_of_ours(new, tmp_path):
    with pytest.raises(VersionError, match="nowhere: there is no such folder"):
        enroll(tmp_path / "nowhere", {NEW: new})
    with pytest.raises(VersionError, match="holds neither a SavedModel"):
        enroll(new, {NEW: new})
    tf.saved_model.save(tf.Module(), str(tmp_path / "other/1"))
    with pytest.raises(EnrollError, match="train the model again"):
        enroll(tmp_path / "other", {NEW: new})
    (tmp_path / "other/1/saved_model.pb").write_bytes(b"no proto")
    with pytest.raises(EnrollError, match="cannot be loaded"):
        enroll(tmp_path / "other", {NEW: new})


def test_a_candidate_is_checked_before_it_can_be_seen(base, new):
    seen = []

    def check(candidate, images):
        assert candidate.parent != base
        assert [path.name for path in candidate.parent.iterdir()] == ["2"]
        assert (ask(candidate, queries(7))["label"] == NEW.encode()).all()
        seen.extend(images)
        assert not (base / "2").exists()

    enroll(base, {NEW: new}, check=check)
    assert seen == [(new / f"{i}.png").read_bytes() for i in range(4)]
    assert versions(base) == ["1", "2"]


def test_a_candidate_that_fails_leaves_nothing(base, new):
    def check(*_):
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        enroll(base, {NEW: new}, check=check)
    assert versions(base) == ["1"]


def test_a_server_takes_the_next_version_over(base, new, tmp_path):
    server = Server(
        tmp_path / "log",
        model_name="siamese",
        model_base_path=base,
        file_system_poll_wait_seconds=0.05,
    )
    try:
        client, images = server.client(), np.array(queries(7, 0), object)
        before, version = client.predict("siamese", "classify", image=images)
        assert (version, NEW.encode() in before["classes"]) == (1, False)
        enroll(base, {NEW: new}, ["class-2"])

        def answer():
            outputs, version = client.predict("siamese", "classify", image=images)
            return outputs if version == 2 else None

        outputs = eventually(answer, 120)
        assert [label.decode() for label in outputs["label"]] == [NEW] * 5 + ["class-0"] * 5
        assert "can't be loaded" not in server.log.read_text()
    finally:
        server.kill()
