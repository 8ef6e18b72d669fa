"""What `siamese gate` refuses of models, images, thresholds and options, in words."""

import pytest
from judged_model import LABELS, Encoder, JudgedModel, write_images

from tests.pipeline.commands.gate.gate import FAILED, WRONG_USE, gate, gate_model
from tests.serving.stand_in import StandIn


def test_bad_models_and_images_are_refused_in_words(models, place):
    write_images(place / "labelled")

    def refused(*arguments, code=WRONG_USE, **where):
        return gate_model(code, models, *arguments, **where)

    assert "none: holds no saved_model.pb" in refused(model=place / "none")
    (place / "cut").mkdir()
    (place / "cut/saved_model.pb").write_bytes(b"?")
    assert "is no SavedModel that can be loaded" in refused(model=place / "cut")
    StandIn().save(place / "old")
    assert "has no support set, as models exported by an older" in refused(model=place / "old")
    Encoder().save(place / "encoder")
    assert "is an encoder alone, without similarity" in refused(model=place / "encoder")
    JudgedModel(scale=float("nan")).save(place / "broken")
    assert "its weights are broken" in refused(model=place / "broken", code=FAILED)
    assert "there is no such folder" in refused(images="none")
    (place / "empty").mkdir()
    assert "has no images; put them" in refused(images="empty")
    write_images(place / "one", labels=["dark"])
    assert "only one class (dark)" in refused(images="one")
    write_images(place / "more", labels=[*LABELS, "grey"])
    told = refused(images="more")
    assert "does not know the class 'grey'; it knows 'dark', 'light'" in told
    for label in LABELS:
        (place / "bad" / label).mkdir(parents=True)
        (place / "bad" / label / "1.png").write_bytes(b"")
    assert "has no class with usable images" in refused(images="bad")
    (place / "split/train").mkdir(parents=True)
    write_images(place / "split/train")
    assert "none is in the split 'test'" in refused(images="split")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("acuracy: 0.9", "thresholds.acuracy: unknown key; did you mean 'accuracy'?"),
        ("auc: 2", "thresholds.auc.at_least: input should be less than or equal to 1"),
        ("- auc", "must hold keys and values"),
        (
            "{auc: null, class_accuracy: null, worst_class_recall: null}",
            "at least one of auc",
        ),
    ],
)
def test_bad_thresholds_are_refused_before_anything_is_loaded(models, place, text, told):
    (place / "gate.yaml").write_text(text)
    found = gate_model(WRONG_USE, models, "--thresholds", "gate.yaml", model="none")
    assert "gate.yaml" in found
    assert told in found


def test_options_that_contradict_each_other(models, place):
    (place / "my.yaml").write_text("name: mine\ndata: {root: data}\n")
    model = ("--model", "m", "--images", "i")
    assert "name a run, or a model" in gate(WRONG_USE)
    assert "name a run, or a model" in gate(WRONG_USE, "my.yaml", *model)
    assert "needs --images" in gate(WRONG_USE, "--model", "m")
    assert "not on this machine" in gate(WRONG_USE, "--model", "s3://b/m", "--images", "i")
    assert "--images, --keep: only with --model" in gate(
        WRONG_USE, "my.yaml", "--images", "i", "--keep", "k"
    )
    assert "--run chooses a run" in gate(WRONG_USE, *model, "--run", "latest")
    assert "give one of them" in gate(
        WRONG_USE, *model, "--thresholds", "my.yaml", "--config", "my.yaml"
    )
    assert "--set needs a configuration" in gate(WRONG_USE, *model, "--set", "seed=1")
    assert "--set needs a configuration" in gate(WRONG_USE, ".", "--set", "seed=1")
    assert "the run is finished" in gate(WRONG_USE, "my.yaml", "--set", "training.epochs=9")
    assert "give one" in gate(
        WRONG_USE, "my.yaml", "--thresholds", "my.yaml", "--set", "thresholds.auc=1"
    )
    assert "both print" in gate(WRONG_USE, "my.yaml", "--json", "--markdown", "-")


@pytest.mark.parametrize(
    ("option", "path", "problem"),
    [
        ("--junit", "none/gate.xml", "there is no folder none; create it"),
        ("--markdown", "none/gate.md", "there is no folder none; create it"),
        ("--junit", "folder", "is a folder; name a file"),
        ("--keep", "my.yaml/kept", "my.yaml is no folder that can be written"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_judging(place, option, path, problem):
    (place / "folder").mkdir()
    (place / "my.yaml").touch()
    # The model is missing, which would be said first if it were judged first.
    told = gate(WRONG_USE, "--model", "none", "--images", "none", option, path)
    assert told == f"Error: {option} {path}: {problem}\n"
