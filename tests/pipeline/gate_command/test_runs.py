"""`siamese gate` on a finished run: every outcome, and where a run is found."""

from judged_runs import good, judged, poor

from components.judge.judgement import Judgement
from components.judge.settings import AtLeast, Thresholds
from tests.pipeline.gate_command.gate import (
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
        assert "Blessed: every threshold is reached." in told
        assert "run 2026-01-02T00:00:00+00:00 of mine, on 48 images" in told
    assert "auc" in told
    assert "at least 0.9000" in told


def test_a_run_that_is_not_blessed(pipelines):
    pipelines.add(found=judged(poor()))
    assert "Not blessed: auc 0." in gate(NOT_BLESSED, "my.yaml")


def test_a_run_with_too_few_images(pipelines):
    asked = Thresholds(class_accuracy=AtLeast(at_least=0.999, bound="lower"))
    pipelines.add(found=judged(good(), asked))
    told = gate(UNDECIDED, "my.yaml")
    assert "Not enough data: class_accuracy 1.0000" in told
    assert "48 test images are too few to decide: about" in told


def test_a_run_whose_model_no_server_answers_for(pipelines):
    pipelines.add(found=judged(good()), infra="no such op")
    for where in ("my.yaml", "runs/mine", "runs/mine/runs/20260102-000000"):
        assert "Not blessed: it cannot be served: no such op." in gate(NOT_BLESSED, where)


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


def test_a_pipelines_folder_may_be_copied(pipelines, place):
    pipelines.add(found=judged(good()), uri="/build/runs/mine/pipeline/Judge/judgement/1")
    (place / "runs").rename(place / "downloaded")
    (place / "downloaded/mine").rename(place / "downloaded/other")
    gate(BLESSED, "downloaded/other")
    assert "of mine" in gate(BLESSED, "downloaded/other")


def test_a_judgement_alone(pipelines, place):
    pipelines.add(found=judged(good()))
    gate(BLESSED, "runs/mine/pipeline/Judge/judgement/1")


def test_a_runs_folder_may_be_copied_alone(pipelines, place):
    pipelines.add(found=judged(good()))
    pipelines.add(found=judged(good()), infra="no such op")
    pipelines.add(found=judged(good()), failed="Pusher")
    for number, code in ((2, BLESSED), (3, NOT_BLESSED), (4, FAILED)):
        folder = (place / f"runs/mine/runs/2026010{number}-000000").rename(place / f"{number}")
        assert f"run 2026-01-0{number}T" in gate(code, folder)


def test_bad_runs_are_refused_in_words(pipelines, place):
    assert "there is no such file or folder" in gate(WRONG_USE, "none")
    assert "is the folder of no pipeline" in gate(WRONG_USE, place)
    assert "mine has no runs in runs/mine" in gate(WRONG_USE, "my.yaml")
    pipelines.add()
    assert "holds no judgement: no Judge was part of it" in gate(WRONG_USE, "my.yaml")
    assert "mine has no run 7; the last is 2026" in gate(WRONG_USE, "my.yaml", "--run", "7")
    assert "has one run alone" in gate(WRONG_USE, "my.yaml", "--run", "previous")
    pipelines.add(found=judged(good()))
    folder = place / "runs/mine/pipeline/Judge/judgement/2"
    assert "holds no summary.json that tells" in gate(WRONG_USE, "runs/mine/pipeline/Judge")
    assert "is the folder of one run" in gate(
        WRONG_USE, "runs/mine/runs/20260103-000000", "--run", "latest"
    )
    assert "no run can be chosen" in gate(WRONG_USE, folder, "--run", "latest")
    (folder / Judgement.FILE).write_text("{}")
    assert "is damaged, or of another version" in gate(WRONG_USE, "my.yaml")
    (folder / Judgement.FILE).unlink()
    assert "was the folder deleted?" in gate(WRONG_USE, "my.yaml")
    (place / "my.yaml").write_text("nome: mine\n")
    assert "unknown key; did you mean 'name'?" in gate(WRONG_USE, "my.yaml")
