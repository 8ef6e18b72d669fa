"""Another threshold in a small exported model."""

import functools
import shutil

import pytest
import tensorflow as tf
from exported_model import exported_once
from sample_images import encoded, picture

from serving import threshold as module
from serving.threshold import ThresholdError, replace_threshold
from storage.enrolled_images import EnrolledImage, read_enrolled_images, write_enrolled_images
from storage.lineage import read_lineage


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return exported_once(tmp_path_factory)


@pytest.fixture
def base(exported, tmp_path):
    """Base path of version 1."""
    shutil.copytree(exported, tmp_path / "models" / "1")
    return tmp_path / "models"


@functools.lru_cache(maxsize=2)
def load(version):
    return tf.saved_model.load(str(version))


def compare(version):
    """Of one class, and of two."""
    left, right = ([encoded(picture(label, i, 16, 60)) for label in labels]
                   for i, labels in enumerate(((0, 0), (0, 1))))  # fmt: skip
    served = load(version).signatures["serving_default"]
    answer = served(left=tf.constant(left), right=tf.constant(right))
    return answer["similarity"].numpy(), answer["same"].numpy().tolist()


def test_the_next_version_answers_by_the_other_threshold(base):
    similarities, same = compare(base / "1")
    assert len(set(same)) == 2 or similarities[0] != similarities[1]
    middle = float(similarities.mean())
    done = replace_threshold(base, "same", middle)
    assert (done.model, done.version) == (base / "1", base / "2")
    assert done.before == {"same": 0.5, "known": pytest.approx(0.6)}
    assert done.after == {**done.before, "same": middle}
    found, now = compare(done.version)
    assert found.tolist() == similarities.tolist()
    assert now == [bool(one >= middle) for one in similarities]
    assert sorted(now) == [False, True]
    assert compare(base / "1")[1] == same  # the old version stays
    loaded = load(done.version)
    limits = {name: float(one) for name, one in loaded.thresholds().items()}
    assert limits == pytest.approx(done.after)
    lineage = read_lineage(done.version)
    assert (lineage.made_by, lineage.parent) == ("threshold", done.model.name)
    assert lineage.changes == (f"threshold of 'same' 0.5 → {middle:.6g}",)


def test_known_goes_by_its_own_threshold(base):
    images = tf.constant([encoded(picture(0, 50, 16, 60))])
    for value, known in ((-1.0, True), (1.0, False)):
        version = replace_threshold(base, "known", value).version
        answer = load(version).signatures["classify"](image=images)
        assert answer["known"].numpy().tolist() == [known]


def test_enrolled_images_and_assets_stay(base):
    kept = [EnrolledImage("new", "new/1.png", 7, b"bytes")]
    (base / "1/assets.extra").mkdir(exist_ok=True)
    write_enrolled_images(base / "1", kept)
    assert read_enrolled_images(replace_threshold(base, "same", 0.7).version) == kept


def test_a_version_that_fails_its_check_is_not_written(base):
    def refuse(candidate):
        assert (candidate / "saved_model.pb").exists()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        replace_threshold(base, "same", 0.7, check=refuse)
    assert [path.name for path in base.iterdir()] == ["1"]


def test_a_model_of_an_older_version_is_refused(base, monkeypatch):
    monkeypatch.setattr(module.tf.saved_model, "load", lambda _: object())
    with pytest.raises(ThresholdError, match="has no thresholds that can be replaced"):
        replace_threshold(base, "same", 0.7)
