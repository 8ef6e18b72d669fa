"""The component's executor on stand-in models."""

import os

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
from tfx.components.pusher.executor import Executor as Pusher
from tfx.types import artifact_utils, standard_artifacts

from components.judge.component import Judge
from components.judge.judgement_files import read_judgement
from judging.settings import JudgeSettings, Thresholds
from pipeline.config.sections import Beam
from records import features
from tests.components.judge.stand_in import GOOD, StandIn, write_images
from trainer.export.pretrained_encoder import FOLDER


@pytest.fixture(scope="session")
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
