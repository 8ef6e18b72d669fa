"""A model is trained again after classes were enrolled in the one that is served."""

import numpy as np
import pytest
import tensorflow as tf
from exported_model import MAX_PIXELS, export, make_model, write_images
from sample_images import encoded, picture

from base.errors import DataError
from judging.thresholds import CalibratedThresholds
from serving.enroll import enroll
from serving.infra_check import InfraCheckError, check_enrolled_classes
from storage.enrolled_images import fingerprint
from trainer.export.carry_over import carry_over, images_to_carry_over
from trainer.export.signatures import ServedModel
from trainer.export.support_set import SupportSet


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def served(network, tmp_path_factory):
    """Base path of a model with the classes class-0, class-1, and the enrolled class-2, class-7."""
    folder = tmp_path_factory.mktemp("served")
    export(network, folder / "models/1", classes=2)
    for label in (2, 7):
        images = write_images(folder / f"class-{label}", label, range(3))
        enroll(folder / "models", {f"class-{label}": images})
    return folder / "models"


@pytest.fixture(scope="module")
def trained_again(served, network, tmp_path_factory):
    """The next model, whose training data has class-2 by now."""
    folder = tmp_path_factory.mktemp("again")
    [model] = export_again(network, folder / "1", served)
    return folder / "1", model


def export_again(network, version, served):
    results = []

    class Carrying(ServedModel):
        def save(self, directory):
            results.append(carry_over(self, images_to_carry_over(str(served), MAX_PIXELS)))
            super().save(directory)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exported_model.ServedModel", Carrying)
        export(network, version, classes=3)
    return results


def test_a_class_that_the_data_lacks_is_carried_over_and_the_others_are_the_datas(trained_again):
    version, result = trained_again
    assert result == {"carried over": {"class-7": 3}, "in the training data": {"class-2": 3}}
    loaded = tf.saved_model.load(str(version))
    assert sorted(loaded.support.labels.numpy()) == (
        [b"class-0"] * 4 + [b"class-1"] * 4 + [b"class-2"] * 4 + [b"class-7"] * 3
    )
    images = [encoded(picture(label, 100 + i, 16, 60)) for label in (7, 2) for i in range(5)]
    answer = loaded.signatures["classify"](image=tf.constant(images))
    assert answer["label"].numpy().tolist() == [b"class-7"] * 5 + [b"class-2"] * 5
    assert answer["nearest"].numpy()[0, 0].startswith(b"class-7/")


def test_they_are_embedded_by_the_new_encoder_and_judged_as_training_images(trained_again, served):
    version, _ = trained_again
    loaded = tf.saved_model.load(str(version))
    carried = [one for one in images_to_carry_over(str(served), MAX_PIXELS) if "7" in one.label]
    expected = loaded.signatures["embed"](image=tf.constant([one.image for one in carried]))
    np.testing.assert_allclose(
        loaded.support.embeddings.numpy()[-3:], expected["embedding"].numpy(), rtol=1e-5
    )
    assert {one.key for one in carried} <= set(loaded.training_keys.numpy().tolist())


def test_a_model_without_them_may_not_replace_the_served_one(
    trained_again, served, network, tmp_path
):
    check_enrolled_classes(trained_again[0], str(served))
    export(network, tmp_path / "1", classes=3)
    with pytest.raises(InfraCheckError, match=r"enrolled classes that this one lacks \(class-7\)"):
        check_enrolled_classes(tmp_path / "1", str(served))
    check_enrolled_classes(tmp_path / "1", str(tmp_path / "nowhere"))


def test_images_that_the_new_model_cannot_take_are_refused_before_training(served):
    with pytest.raises(DataError, match=r"enrolled class 'class-2'.* data\.max_pixels \(100\)"):
        images_to_carry_over(str(served), 100)


def test_nothing_was_enrolled(network, tmp_path):
    assert images_to_carry_over("", MAX_PIXELS) == []
    assert images_to_carry_over(str(tmp_path / "nowhere"), MAX_PIXELS) == []
    support = SupportSet(np.eye(2, 48), np.array(["a", "b"]), [b"a/1", b"b/1"])
    keys = np.array([1], "int64")
    model = ServedModel(
        network, lambda x: x, 16, MAX_PIXELS, support, CalibratedThresholds(0.5, 0.5), keys
    )
    assert carry_over(model, []) == {"carried over": {}, "in the training data": {}}


def test_an_enrolment_changes_the_fingerprint(served, tmp_path, network):
    assert fingerprint(str(tmp_path)) == ""
    assert len(fingerprint(str(served))) == 16
