"""`siamese gate` on an exported model with labelled images: every outcome, and what it goes by."""

import json
import shutil

from judged_model import LABELS, Encoder, JudgedModel, write_images
from PIL import Image
from sample_images import encoded

from components.judge.exported_model import JudgedModel as Loaded
from components.judge.judgement_files import read_judgement
from storage.enrolled_images import EnrolledImage, write_enrolled_images
from storage.lineage import read_lineage
from tests.pipeline.commands.gate.gate import BLESSED, NOT_BLESSED, UNDECIDED, WRONG_USE, gate_model

SURE = "class_accuracy: {at_least: 0.9, bound: lower}\n"


def test_a_good_model(models, place):
    write_images(place / "labelled")
    told = gate_model(BLESSED, models)
    assert "on 20 images" in told
    assert "Note" not in told
    # The newest version is as good as its base path.
    assert "good/7" in told
    gate_model(BLESSED, models, model="good/7")


def test_the_verdict_is_written_into_the_version_if_it_is_asked_for(models, place):
    shutil.copytree(models / "good", place / "parts")
    write_images(place / "labelled")
    gate_model(BLESSED, place, model="parts")
    assert read_lineage(place / "parts" / "7") is None
    gate_model(BLESSED, place, "--record", model="parts")
    lineage = read_lineage(place / "parts" / "7")
    assert (lineage.made_by, lineage.made) == ("unknown", None)
    assert lineage.verdict.outcome == "blessed"
    assert lineage.verdict.on == "labelled"
    assert lineage.verdict.figures["class_accuracy"].images == 20


def test_images_under_the_wrong_names(models, place):
    write_images(place / "labelled", labels=reversed(LABELS))
    assert "against chance" in gate_model(NOT_BLESSED, models)


def test_a_collapsed_encoder(models, place):
    write_images(place / "labelled")
    told = gate_model(NOT_BLESSED, models, model="collapsed")
    assert "auc 0.500" in told
    assert "Note" not in told


def test_too_few_images(models, place):
    write_images(place / "labelled")
    (place / "gate.yaml").write_text(SURE)
    told = gate_model(UNDECIDED, models, "--thresholds", "gate.yaml")
    assert "20 test images are too few to decide: about 36 would do" in told
    write_images(place / "labelled", each=27)
    gate_model(BLESSED, models, "--thresholds", "gate.yaml")


def test_a_whole_configuration(models, place):
    write_images(place / "labelled")
    (place / "my.yaml").write_text(f"data: {{root: data}}\nthresholds: {{{SURE.strip()}}}\n")
    gate_model(UNDECIDED, models, "--config", "my.yaml")
    gate_model(BLESSED, models, "--config", "my.yaml", "--set", "thresholds.class_accuracy=0.9")


def test_against_the_model_that_is_served(models, place):
    write_images(place / "labelled")
    (place / "gate.yaml").write_text(
        "auc: 0.4\nclass_accuracy: null\nworst_class_recall: null\nbetter_than_chance: false\n"
    )
    same = gate_model(
        BLESSED, models, "--thresholds", "gate.yaml", "--last-blessed-model", models / "good",
        "--json",
    )  # fmt: skip
    [check] = [c for c in json.loads(same)["checks"] if "last blessed" in c["metric"]]
    assert (check["outcome"], check["measure"]["value"]) == ("passed", 0)
    gate_model(BLESSED, models, "--thresholds", "gate.yaml", model="collapsed")
    told = gate_model(
        NOT_BLESSED, models, "--thresholds", "gate.yaml", "--last-blessed-model", models / "good",
        model="collapsed",
    )  # fmt: skip
    assert "auc against the last blessed model -0.500" in told


def test_against_the_pretrained_encoder(models, place):
    write_images(place / "labelled")
    (place / "gate.yaml").write_text("auc: 0.9\nbeats_pretrained_encoder: true\n")
    gate_model(UNDECIDED, models, "--thresholds", "gate.yaml")  # it was not judged
    Encoder(scale=0.0).save(place / "pretrained")
    told = gate_model(
        BLESSED, models, "--thresholds", "gate.yaml", "--pretrained-encoder", "pretrained",
        "--json", "--keep", "kept",
    )  # fmt: skip
    metrics = [check["metric"] for check in json.loads(told)["checks"]]
    assert "class_accuracy against the pretrained encoder" in metrics
    compared = read_judgement("kept").compared
    assert compared["pretrained encoder"].metrics["class_accuracy"].value == 0.5  # it is collapsed
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
    assert {item["path"]: item["reason"] for item in found["excluded"]} == {
        "dark/both.png": "is the same image under classes dark and light",
        "dark/cut.png": "is cut off or damaged: its header is not whole",
        "light/both.png": "is the same image under classes dark and light",
        "light/white.png": "the model does not accept it as an image",
    }
    assert "4 of 24 files in labelled are unusable" in gate_model(WRONG_USE, models)


def test_a_manifest_names_files_and_splits(models, place):
    write_images(place / "labelled")
    rows = [f"{label}/{i}.png,{label},{split}" for label in LABELS for i, split in enumerate(
        ["train"] * 2 + ["test"] * 8)]  # fmt: skip
    (place / "labelled/list.csv").write_text("path,label,split\n" + "\n".join(rows))
    told = gate_model(BLESSED, models, images="labelled/list.csv")
    assert "on 16 images" in told
    assert "4 files of other splits than 'test' were ignored" in told


def test_images_of_no_class(models, place):
    write_images(place / "labelled", each=12)
    write_images(place / "others", labels=["middle"], each=12, first=0.4)
    (place / "others/middle/broken.png").write_bytes(b"")
    (place / "my.yaml").write_text("data: {root: data}\njudge: {unknown: others}\n")
    found = json.loads(gate_model(BLESSED, models, "--config", "my.yaml", "--json"))
    assert found["metrics"]["open_set_auc"]["images"] == 36
    assert found["excluded"] == [{"path": "others/middle/broken.png", "reason": "is empty"}]
    JudgedModel(seen=sorted(place.glob("others/*/[0-3].png"))).save(place / "met")
    found = json.loads(
        gate_model(BLESSED, models, "--config", "my.yaml", "--json", model=place / "met")
    )
    assert found["metrics"]["open_set_auc"]["images"] == 32
    assert {item["path"]: item["reason"] for item in found["excluded"]} == {
        **{f"others/middle/{i}.png": "the model was trained on it" for i in range(4)},
        "others/middle/broken.png": "is empty",
    }


def test_a_folder_without_a_usable_image_of_no_class(models, place):
    write_images(place / "labelled")
    (place / "others").mkdir()
    (place / "others/notes.txt").write_text("no image")
    (place / "others/white.png").write_bytes(encoded(Image.new("RGB", (8, 8), "white")))
    (place / "my.yaml").write_text("data: {root: data}\njudge: {unknown: others}\n")
    assert (
        "judge.unknown: none of the 2 files in others can be used as an image: notes.txt: is no "
        "image, or of a kind that cannot be read; white.png: the model does not accept it as an "
        "image. Put"
    ) in gate_model(WRONG_USE, models, "--config", "my.yaml")


def test_images_that_the_model_was_trained_with_are_excluded(models, place):
    write_images(place / "labelled")
    learned = [place / "labelled" / label / f"{i}.png" for label in LABELS for i in range(6)]
    JudgedModel(seen=learned).save(place / "learned")
    # More than data.max_unusable allows: but these can be used, if not here.
    told = gate_model(BLESSED, models, "--json", "--keep", "kept", model=place / "learned")
    found = json.loads(told)
    assert found["images"] == 8
    expected = {f"{label}/{i}.png": "the model was trained on it"
                for label in LABELS for i in range(6)}  # fmt: skip
    assert {item["path"]: item["reason"] for item in found["excluded"]} == expected
    assert read_judgement("kept").invalid == expected


def test_a_model_that_was_trained_with_all_images_is_refused(models, place):
    write_images(place / "labelled")
    JudgedModel(seen=sorted(place.glob("labelled/*/*.png"))).save(place / "learned")
    told = gate_model(WRONG_USE, models, model=place / "learned")
    assert "none of the 20 test images can be judged on" in told


def test_the_last_blessed_model_is_compared_on_images_that_it_has_not_seen(models, place):
    write_images(place / "labelled")
    (place / "gate.yaml").write_text("auc: 0.4\n")
    some = [place / "labelled" / label / f"{i}.png" for label in LABELS for i in range(3)]
    JudgedModel(seen=some).save(place / "before")
    options = ("--thresholds", "gate.yaml", "--last-blessed-model")
    limit = "compared on 14 of 20 test images: the last blessed model was trained on the others"
    for kind in ([], ["--json"], ["--markdown", "-"]):
        told = gate_model(BLESSED, models, *options, place / "before", *kind)
        assert limit in told
        assert "does not say" not in told
    JudgedModel(seen=sorted(place.glob("labelled/*/*.png"))).save(place / "all")
    told = gate_model(UNDECIDED, models, *options, place / "all")
    assert "auc against the last blessed model: compared on 0 of 20 test images: the last" in told
    JudgedModel(seen=None).save(place / "older")
    told = gate_model(BLESSED, models, *options, place / "older")
    assert "Note: the last blessed model does not say which images it was trained on" in told


def test_an_older_model_does_not_say_what_it_has_seen(models, place):
    write_images(place / "labelled")
    JudgedModel(seen=None).save(place / "older")
    told = gate_model(BLESSED, models, model=place / "older")
    assert "on 20 images" in told
    assert "Note: the model does not say which images it was trained on" in told


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


def test_incomplete_newer_versions_are_skipped_and_named(models, place):
    write_images(place / "labelled")
    versions = place / "versions"
    JudgedModel().save(versions / "1")
    (versions / "2").mkdir()
    (versions / "3" / "variables").mkdir(parents=True)
    (versions / "²").mkdir()  # a digit, but no number
    told = gate_model(BLESSED, models, model=versions)
    assert "versions/1, on 20 images" in told
    for skipped in ("versions/2", "versions/3"):
        assert f"{skipped}: skipped, since it holds no saved_model.pb" in told


def test_the_current_folders_name_does_not_matter(models, place, monkeypatch):
    (place / "[1]").mkdir()
    monkeypatch.chdir(place / "[1]")
    told = gate_model(WRONG_USE, models, model="none", images="images")
    assert "none: holds no saved_model.pb" in told
    told = gate_model(WRONG_USE, models, model="none", images="images/{SPAN}")
    assert told.startswith("Error: --images: data.root: '[' in ")


def test_a_class_that_was_held_out_and_enrolled_leaves_out_no_other(models, place):
    write_images(place / "labelled", labels=("new", "newer"))
    JudgedModel(labels=("trained", "new")).save(place / "enrolled")
    (place / "enrolled/assets.extra").mkdir()
    enrolled = [EnrolledImage("new", f"new/{key}.png", key, b"") for key in range(2)]
    write_enrolled_images(place / "enrolled", enrolled)
    (place / "my.yaml").write_text("data: {root: data}\nsplits: {by: class}\n")
    told = gate_model(BLESSED, models, "--config", "my.yaml", model=place / "enrolled")
    assert "on 20 images" in told
    assert "also knows" not in told
