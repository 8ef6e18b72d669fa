"""The reference methods are judged beside the model."""

from collections import Counter

from components.judge.exported_model import JudgedModel
from components.judge.judgement_files import read_image_outcomes
from judging.gate import PRETRAINED_ENCODER, RAW_PIXELS
from judging.settings import Thresholds
from tests.components.judge.stand_in import WORSE


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
