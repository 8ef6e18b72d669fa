"""`siamese gate`: every outcome by its exit code, what it writes, and what it refuses."""

import json
from xml.etree import ElementTree

import pytest
from command_line import siamese
from images import encoded
from judged_model import LABELS, Encoder, JudgedModel, write_images
from judged_runs import Pipelines, good, judged, poor
from markdown_it import MarkdownIt
from PIL import Image

from components.judge.judgement import ImageOutcome, Judgement, PairOutcome, read_lines
from components.judge.model import JudgedModel as Loaded
from components.judge.settings import AtLeast, Thresholds
from pipeline import finished_run
from tests.serving.stand_in import StandIn

BLESSED, FAILED, WRONG_USE, NOT_BLESSED, UNDECIDED = range(5)
SURE = "class_accuracy: {at_least: 0.9, bound: lower}\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    JudgedModel().save(place / "good" / "7")
    JudgedModel(scale=0.0).save(place / "collapsed")
    return place


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def pipelines(place, monkeypatch):
    made = Pipelines(place)
    monkeypatch.setattr(finished_run, "read_runs", made.read_runs)
    (place / "my.yaml").write_text("name: mine\ndata: {root: data}\n")
    return made


def gate(code, *arguments):
    """What is printed, and the exit code is `code`."""
    result = siamese("gate", *arguments)
    assert result.exit_code == code, result.everything
    return result.everything


def gate_model(code, models, *arguments, model="good", images="labelled"):
    return gate(code, "--model", models / model, "--images", images, *arguments)


# --- a run ----------------------------------------------------------------------------------------


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


# --- a model and images ---------------------------------------------------------------------------


def test_a_good_model(models, place):
    write_images(place / "labelled")
    told = gate_model(BLESSED, models)
    assert "on 20 images" in told
    assert "Note" not in told
    # The newest version is as good as its base path.
    assert "good/7" in told
    gate_model(BLESSED, models, model="good/7")


def test_images_under_the_wrong_names(models, place):
    write_images(place / "labelled", labels=reversed(LABELS))
    assert "against chance" in gate_model(NOT_BLESSED, models)


def test_a_collapsed_encoder(models, place):
    write_images(place / "labelled")
    told = gate_model(NOT_BLESSED, models, model="collapsed")
    assert "auc 0.5000" in told
    assert "Note" not in told


def test_too_few_images(models, place):
    write_images(place / "labelled")
    (place / "gate.yaml").write_text(SURE)
    told = gate_model(UNDECIDED, models, "--thresholds", "gate.yaml")
    assert "20 test images are too few to decide: about 52 are needed" in told
    write_images(place / "labelled", each=27)
    gate_model(BLESSED, models, "--thresholds", "gate.yaml")


def test_a_whole_configuration(models, place):
    write_images(place / "labelled")
    (place / "my.yaml").write_text(f"data: {{root: data}}\nthresholds: {{{SURE.strip()}}}\n")
    gate_model(UNDECIDED, models, "--config", "my.yaml")
    gate_model(BLESSED, models, "--config", "my.yaml", "--set", "thresholds.class_accuracy=0.9")


def test_against_the_model_that_is_served(models, place):
    write_images(place / "labelled")
    (place / "gate.yaml").write_text("auc: 0.4\nbetter_than_chance: false\n")
    same = gate_model(
        BLESSED, models, "--thresholds", "gate.yaml", "--baseline", models / "good", "--json"
    )
    [check] = [c for c in json.loads(same)["checks"] if "last blessed" in c["metric"]]
    assert (check["outcome"], check["measure"]["value"]) == ("passed", 0)
    gate_model(BLESSED, models, "--thresholds", "gate.yaml", model="collapsed")
    told = gate_model(
        NOT_BLESSED, models, "--thresholds", "gate.yaml", "--baseline", models / "good",
        model="collapsed",
    )  # fmt: skip
    assert "auc against the last blessed model -0.5000" in told


def test_against_the_frozen_encoder(models, place):
    write_images(place / "labelled")
    (place / "gate.yaml").write_text("auc: 0.9\nbeats_frozen_encoder: true\n")
    gate_model(UNDECIDED, models, "--thresholds", "gate.yaml")  # it was not judged
    Encoder(scale=0.0).save(place / "frozen")
    told = gate_model(
        BLESSED, models, "--thresholds", "gate.yaml", "--frozen-encoder", "frozen", "--json",
        "--keep", "kept",
    )  # fmt: skip
    metrics = [check["metric"] for check in json.loads(told)["checks"]]
    assert "class_accuracy against the frozen encoder" in metrics
    compared = Judgement.read("kept").compared
    assert compared["frozen encoder"].metrics["class_accuracy"].value == 0.5  # it is collapsed
    # It brings the labelled images' pixels, which tell dark from light.
    assert compared["raw pixels"].metrics["class_accuracy"].value == 1


def test_each_image_is_embedded_once(models, place, monkeypatch):
    write_images(place / "labelled", each=40)
    counts = []
    embed = Loaded.embed

    def counted(self, images):
        counts.append(len(images))
        return embed(self, images)

    monkeypatch.setattr(Loaded, "embed", counted)
    gate_model(BLESSED, models)
    assert (sum(counts), max(counts)) == (80, 32)


def test_unusable_images_are_listed_and_counted(models, place):
    write_images(place / "labelled")
    (place / "labelled/dark/cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (place / "labelled/light/white.png").write_bytes(
        encoded(Image.new("RGB", (8, 8), "white"))  # the model refuses it
    )
    both = encoded(Image.new("RGB", (8, 8), (50, 60, 70)))
    for label in LABELS:
        (place / "labelled" / label / "both.png").write_bytes(both)
    (place / "my.yaml").write_text("data: {root: data, max_unusable: 0.5}\n")
    found = json.loads(gate_model(BLESSED, models, "--config", "my.yaml", "--json"))
    assert found["images"] == 20
    assert {item["path"]: item["reason"] for item in found["set_aside"]} == {
        "dark/both.png": "is the same image under classes dark and light",
        "dark/cut.png": "is cut off or damaged: its header is not whole",
        "light/both.png": "is the same image under classes dark and light",
        "light/white.png": "the model takes it for no image",
    }
    assert "4 of 24 files in labelled are unusable" in gate_model(WRONG_USE, models)


def test_a_manifest_names_files_and_splits(models, place):
    write_images(place / "labelled")
    rows = [f"{label}/{i}.png,{label},{split}" for label in LABELS for i, split in enumerate(
        ["train"] * 2 + ["test"] * 8)]  # fmt: skip
    (place / "labelled/list.csv").write_text("path,label,split\n" + "\n".join(rows))
    told = gate_model(BLESSED, models, images="labelled/list.csv")
    assert "on 16 images" in told
    assert "4 files of other splits than 'test' were passed over" in told


def test_images_of_no_class(models, place):
    write_images(place / "labelled", each=12)
    write_images(place / "others", labels=["middle"], each=12, first=0.4)
    (place / "others/middle/broken.png").write_bytes(b"")
    (place / "my.yaml").write_text("data: {root: data}\njudge: {unknown: others}\n")
    found = json.loads(gate_model(BLESSED, models, "--config", "my.yaml", "--json"))
    assert found["metrics"]["known_auc"]["images"] == 36


def test_what_may_mislead_is_said(models, place):
    write_images(place / "labelled")
    same = (place / "labelled/dark/0.png").read_bytes()
    (place / "labelled/dark/copy.png").write_bytes(same)
    for i in range(3):
        pixels = Image.new("RGB", (10, 10), (51, 51, 51))  # 0.2, as a support image
        pixels.info["number"] = i
        pixels.save(place / f"labelled/dark/learned-{i}.png", compress_level=i)
    told = gate_model(BLESSED, models)
    assert "images are copies of others among them" in told
    assert "3 images are embedded exactly as some of the model's own support images" in told


def test_the_judgement_can_be_kept(models, place):
    write_images(place / "labelled")
    gate_model(BLESSED, models, "--keep", "kept/here")
    judgement = Judgement.read("kept/here")
    assert (judgement.verdict.outcome, judgement.root) == ("blessed", "labelled")
    ids = [line.id for line in read_lines("kept/here/outcomes.jsonl", ImageOutcome)]
    assert len(ids) == 20
    assert ids == sorted(ids)  # as PairGen and the Judge have them, so that pairs are the same
    assert len(list(read_lines("kept/here/pairs.jsonl", PairOutcome))) == sum(
        judgement.pairs.values()
    )
    gate(BLESSED, "kept/here")


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
    assert "has no similarity and no thresholds" in refused(model=place / "encoder")
    JudgedModel(scale=float("nan")).save(place / "broken")
    assert "its weights are broken" in refused(model=place / "broken", code=FAILED)
    assert "there is no such folder" in refused(images="none")
    (place / "empty").mkdir()
    assert "holds no images" in refused(images="empty")
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
        ("auc: null", "at least one of auc"),
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
    assert "--images, --keep: only for --model" in gate(
        WRONG_USE, "my.yaml", "--images", "i", "--keep", "k"
    )
    assert "--run is of a run" in gate(WRONG_USE, *model, "--run", "latest")
    assert "give one of them" in gate(
        WRONG_USE, *model, "--thresholds", "my.yaml", "--config", "my.yaml"
    )
    assert "--set needs a configuration" in gate(WRONG_USE, *model, "--set", "seed=1")
    assert "--set needs a configuration" in gate(WRONG_USE, ".", "--set", "seed=1")
    assert "both print" in gate(WRONG_USE, "my.yaml", "--json", "--markdown", "-")


# --- what it writes -------------------------------------------------------------------------------


def test_json_is_all_there_is_on_the_output(models, place):
    write_images(place / "labelled")
    found = json.loads(gate_model(BLESSED, models, "--json"))
    assert found["outcome"] == "blessed"
    assert found["reasons"] == ["every threshold is reached"]
    assert set(found["metrics"]) >= {"auc", "class_accuracy"}


def test_files_are_written_whatever_the_verdict(models, place):
    write_images(place / "labelled", labels=reversed(LABELS))
    gate_model(NOT_BLESSED, models, "--junit", "gate.xml", "--markdown", "gate.md")
    assert ElementTree.parse("gate.xml").getroot().get("failures") == "1"
    assert "Not blessed" in (place / "gate.md").read_text()
    assert "none/x.xml: cannot be written (No such file or directory)" in gate_model(
        WRONG_USE, models, "--junit", "none/x.xml"
    )


def test_labels_of_any_kind_survive_in_markdown(models, place):
    labels = ("da|rk `x` <b>*y*", "light @somebody [z](z.z) #1 _$z$_")
    JudgedModel(labels=labels).save(place / "model")
    write_images(place / "labelled", labels=labels)
    (place / "labelled" / labels[0] / "ba|d`.png").write_bytes(b"")
    told = gate_model(BLESSED, models, "--markdown", "-", model=place / "model")
    html = MarkdownIt("commonmark").enable("table").render(told)
    for label in ("da|rk `x` &lt;b&gt;*y*", labels[1]):
        assert f"<td><code>{label}</code></td>" in html
    assert "ba|d`.png</code>: is empty" in html
    assert "Blessed" in html.splitlines()[0]
