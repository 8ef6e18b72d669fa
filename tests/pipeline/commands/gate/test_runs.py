"""`siamese gate` on a finished run: every outcome, and where a run is found."""

import shutil

from judged_runs import good, judged, poor

from judging.gate import Measured, decide
from judging.judge import judge
from judging.judgement import Check, Judgement
from judging.settings import AtLeast, JudgeSettings, Thresholds
from pipeline.runs.folder_lock import locked
from tests.pipeline.commands.gate.gate import (
    BLESSED,
    FAILED,
    NOT_BLESSED,
    UNDECIDED,
    WRONG_USE,
    gate,
)


def test_a_blessed_run(pipelines):
    pipelines.add(found=judged(good()))
    for where in ("my.yaml", "runs/mine", "runs/mine/runs/20260102-000000"):
        told = gate(BLESSED, where)
        assert "Blessed: every threshold is reached" in told
        assert "run 20260102-000000 of mine, on 48 images" in told
    assert "auc" in told
    assert "at least 0.9" in told


def test_a_run_that_is_not_blessed(pipelines):
    pipelines.add(found=judged(poor()))
    assert "Not blessed: auc 0." in gate(NOT_BLESSED, "my.yaml")


def test_a_run_with_too_few_images(pipelines):
    asked = Thresholds(class_accuracy=AtLeast(at_least=0.999, bound="lower"))
    pipelines.add(found=judged(good(), asked))
    told = gate(UNDECIDED, "runs/mine")
    assert "Undecided: class_accuracy 1.000" in told
    assert "48 test images are too few to decide: about" in told


def test_other_thresholds_decide_on_what_was_measured(pipelines, place):
    pipelines.add(found=judged(good()))
    pipelines.add(found=judged(poor()))

    told = gate(NOT_BLESSED, "my.yaml", "--run", "previous", "--set", "thresholds.auc=1")
    assert "auc 0.9" in told
    assert "required at least 1" in told
    assert "thresholds of my.yaml differ from the run's own, by which it was blessed" in told
    assert "differ" not in gate(BLESSED, "my.yaml", "--run", "previous", "--set", "name=mine")
    assert "no threshold is set" in gate(NOT_BLESSED, "my.yaml", "--set", "thresholds=null")

    low = "{auc: 0.1, class_accuracy: null, worst_class_recall: null, better_than_chance: false}"
    assert "it was not blessed" in gate(BLESSED, "my.yaml", "--set", f"thresholds={low}")
    (place / "low.yaml").write_text(low)
    for where in ("my.yaml", "runs/mine"):
        assert "of low.yaml differ from the run's own" in gate(
            BLESSED, where, "--thresholds", "low.yaml"
        )


def test_what_tfma_has_found_holds_for_thresholds_that_are_the_same(pipelines):
    told = {"metric": "auc by TFMA", "required": "at least 0.9", "note": "it is 0.8"}
    found = judged(good())
    measured = Measured(48, found.judgement.metrics, {}, 0.25, {}, 0.0001)
    verdict = decide(Thresholds(), measured, [Check(outcome="failed", **told)])
    judgement = found.judgement.model_copy(update={"verdict": verdict})
    pipelines.add(found=found._replace(judgement=judgement))
    assert "auc by TFMA" in gate(NOT_BLESSED, "my.yaml", "--set", "thresholds.change.auc=-0.5")
    assert "auc by TFMA" not in gate(BLESSED, "my.yaml", "--set", "thresholds.auc=0.7")


def test_where_images_of_no_class_are_is_the_same_by_any_path(pipelines, place):
    settings = JudgeSettings(unknown=str(place / "none"))
    images, view = good()
    found = judge(images, view, {}, None, Thresholds(), settings)
    pipelines.add(found=found)
    (place / "my.yaml").write_text("name: mine\ndata: {root: data}\njudge: {unknown: none}\n")
    assert "differ" not in gate(BLESSED, "my.yaml")


def test_it_is_said_where_a_run_was_judged_otherwise(pipelines):
    pipelines.add(found=judged(good()))
    (pipelines.place / "my.yaml").write_text("name: mine\ndata: {root: d}\njudge: {listed: 3}\n")
    assert "`judge` in my.yaml differs from the run's own" in gate(BLESSED, "my.yaml")


def test_a_run_whose_model_no_server_answers_for(pipelines):
    pipelines.add(found=judged(good()), infra="no such op")
    for where in ("my.yaml", "runs/mine", "runs/mine/runs/20260102-000000"):
        assert "Not blessed: InfraCheck failed: no such op." in gate(NOT_BLESSED, where)


def test_a_run_is_chosen(pipelines):
    first = pipelines.add(found=judged(good()))
    pipelines.add(found=judged(poor()))
    gate(NOT_BLESSED, "runs/mine")
    gate(NOT_BLESSED, "runs/mine", "--run", "latest")
    gate(BLESSED, "runs/mine", "--run", "previous")
    gate(BLESSED, "runs/mine", "--run", first)
    gate(BLESSED, "runs/mine/runs/20260102-000000")


def test_a_failed_run_fails(pipelines):
    pipelines.add(failed="Trainer")
    assert "failed in Trainer" in gate(FAILED, "my.yaml")


def test_a_run_that_died_before_its_first_component_is_the_newest(pipelines, place):
    pipelines.add(found=judged(good()))
    folder = place / "runs/mine/runs/20260103-000000"
    folder.mkdir()
    (folder / "config.yaml").touch()  # empty, as a full disk leaves it
    for where in ("my.yaml", "runs/mine"):
        assert "run 20260103-000000 was interrupted" in gate(FAILED, where)
    with locked(place / "runs/mine"):
        assert "run 20260103-000000 is still running" in gate(FAILED, "my.yaml")
    gate(BLESSED, "my.yaml", "--run", "previous")


def test_a_pipelines_folder_may_be_copied(pipelines, place):
    pipelines.add(found=judged(good()), uri="/build/runs/mine/pipeline/Judge/judgement/1")
    (place / "runs").rename(place / "downloaded")
    (place / "downloaded/mine").rename(place / "downloaded/other")
    gate(BLESSED, "downloaded/other")
    assert "of mine" in gate(BLESSED, "downloaded/other")


def test_runs_may_be_copied_without_their_artifacts(pipelines, place):
    pipelines.add(found=judged(good()))
    for path in (place / "runs/mine").iterdir():
        if path.name != "runs":
            shutil.rmtree(path)
    for where in ("runs/mine", "runs/mine/runs/20260102-000000", "my.yaml"):
        assert "run 20260102-000000 of mine" in gate(BLESSED, where)


def test_a_folder_without_a_configuration_is_no_run(pipelines, place):
    pipelines.add(found=judged(good()))
    (place / "runs/mine/runs/backup").mkdir()
    for where in ("runs/mine", "my.yaml"):
        assert "run 20260102-000000 of mine" in gate(BLESSED, where)
    assert "is neither a pipeline's folder" in gate(WRONG_USE, ".")


def test_a_judgement_alone(pipelines, place):
    pipelines.add(found=judged(good()))
    gate(BLESSED, "runs/mine/pipeline/Judge/judgement/1")


def test_a_runs_folder_may_be_copied_alone(pipelines, place):
    pipelines.add(found=judged(good()))
    pipelines.add(found=judged(good()), infra="no such op")
    pipelines.add(found=judged(good()), failed="Pusher")
    for number, code in ((2, BLESSED), (3, NOT_BLESSED), (4, FAILED)):
        folder = (place / f"runs/mine/runs/2026010{number}-000000").rename(place / f"{number}")
        assert f"run 2026010{number}-000000" in gate(code, folder)


def test_bad_runs_are_refused_in_words(pipelines, place):
    assert "there is no such file or folder" in gate(WRONG_USE, "none")
    assert "is neither a pipeline's folder" in gate(WRONG_USE, place)
    assert "mine has no runs in runs/mine" in gate(WRONG_USE, "my.yaml")
    pipelines.add()
    assert "has no judgement; run it again" in gate(WRONG_USE, "my.yaml")
    assert "mine has no run 7; the latest is 2026" in gate(WRONG_USE, "my.yaml", "--run", "7")
    assert "has only one run" in gate(WRONG_USE, "my.yaml", "--run", "previous")
    pipelines.add(found=judged(good()))
    folder = place / "runs/mine/pipeline/Judge/judgement/2"
    assert "is neither a pipeline's folder" in gate(WRONG_USE, "runs/mine/pipeline/Judge")
    assert "is one run or judgement" in gate(
        WRONG_USE, "runs/mine/runs/20260103-000000", "--run", "latest"
    )
    assert "is one run or judgement" in gate(WRONG_USE, folder, "--run", "latest")
    (place / "runs/mine/runs/20260103-000000" / Judgement.FILE).unlink()
    (folder / Judgement.FILE).write_text("{}")
    assert "is damaged, or was written by another version" in gate(WRONG_USE, "my.yaml")
    (folder / Judgement.FILE).unlink()
    assert "was the folder deleted?" in gate(WRONG_USE, "my.yaml")
    (place / "my.yaml").write_text("nome: mine\n")
    assert "unknown key; did you mean 'name'?" in gate(WRONG_USE, "my.yaml")
