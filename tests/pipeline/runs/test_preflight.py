import os
import shutil
import subprocess
import sys

import pytest
from sample_images import write_classes

from pipeline.config.errors import ConfigError
from pipeline.config.reading import parse
from pipeline.runs.preflight import check, check_network
from trainer.errors import BackboneError, WeightsError


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    write_classes(folder, classes=3, each=10, size=8)
    (folder / "class-0/.hidden").write_bytes(b"")
    return folder


def config(images, pairs=None, **sections):
    train = {"train": pairs} if pairs else {}
    return parse({"data": {"root": str(images)}, "pairs": train, **sections})


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({"sampling": "all_pairs", "block_size": 19}, r"size: 19 .*about 18 images \(60% of 30"),
        ({"classes_per_block": 4}, "classes_per_block: 4 is more .* 3 classes; give 3 at most"),
        ({"images_per_class": 7}, "images_per_class: 7 is more .*about 6 images of a class"),
        ({"sampling": "random_partners", "partners": 18}, "partners: 18 is more .*about 17"),
    ],
)  # fmt: skip
def test_a_block_larger_than_the_split_is_refused_by_name(images, pairs, message):
    with pytest.raises(ConfigError, match=message):
        check(
            config(images, pairs, training={"loss": "contrastive_margin"}, splits={"folds": None})
        )


def test_the_newest_span_is_checked(tmp_path):
    write_classes(tmp_path / "span-1", classes=2, each=10, size=8)
    check(config(tmp_path / "span-{SPAN}"))
    (tmp_path / "span-2").mkdir()
    with pytest.raises(ConfigError, match="span-2"):
        check(config(tmp_path / "span-{SPAN}"))


@pytest.mark.parametrize(
    "pairs",
    [
        None,  # the defaults, 10 x 5, take what there is
        {"sampling": "all_pairs"},
        {"sampling": "all_pairs", "block_size": 18},
        {"classes_per_block": 3, "images_per_class": 6},
    ],
)
def test_what_fits_passes(images, pairs):
    check(config(images, pairs))


def test_what_cannot_be_counted_passes(images, tmp_path):
    large = {"classes_per_block": 99}
    check(config("gs://bucket/images", large))
    copy_as_splits(images, tmp_path, ("class-0", "class-1"))
    check(config(tmp_path, large))


def copy_as_splits(images, root, labels, splits=("train", "validation", "test")):
    for split in splits:
        for label in labels:
            shutil.copytree(images / label, root / split / label)


def test_a_given_split_without_pairs_is_named(images, tmp_path):
    copy_as_splits(images, tmp_path, ("class-0", "class-1"), ("train", "validation"))
    with pytest.raises(ConfigError, match=r"'test' would have 0 images .* move images into"):
        check(config(tmp_path))
    copy_as_splits(images, tmp_path, ("class-0",), ("test",))
    with pytest.raises(
        ConfigError, match=r"'test' would have 10 .* of 1 class and none of class-1"
    ):
        check(config(tmp_path))


def test_too_few_classes_to_hold_some_out_are_refused(images):
    with pytest.raises(
        ConfigError, match=r"'validation' would .*add classes, or set splits\.by to image"
    ):
        check(config(images, splits={"by": "class"}))


def write_texts(folder):
    for name in ("a/1.txt", "a/2.png", "b/1.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("no image")


def write_pipes(folder):
    for label in "ab":
        (folder / label).mkdir()
        os.mkfifo(folder / label / "1.png")


@pytest.mark.parametrize(
    ("prepare", "sections", "message"),
    [
        (lambda f: f.rmdir(), {}, "there is no folder .*; .*|there is no folder"),
        (lambda f: None, {}, "has no images; put them in one sub-folder per class"),
        (lambda f: (f / "1.txt").touch(), {}, "has no images; put them in one sub-folder"),
        (lambda f: write_classes(f, classes=1, each=3), {}, "has images of one class only, 'cl"),
        (write_texts, {}, "holds no image that can be read; its first file, a/1.txt, is no image"),
        (write_pipes, {}, "its first file, a/1.png, is not a regular file"),
        (
            lambda f: (f / "list.csv").write_text("path,label\n"),
            {"manifest": "list.csv"},
            "list.csv: has no lines after its first one",
        ),
        (lambda f: None, {"manifest": "list.csv"}, "list.csv: there is no such manifest"),
    ],
)
def test_a_folder_that_is_no_data_set_is_refused(tmp_path, prepare, sections, message):
    root = tmp_path / "data"
    root.mkdir()
    prepare(root)
    with pytest.raises(ConfigError, match=f"data.root: .*({message})"):
        check(parse({"data": {"root": str(root), **sections}}))


def test_the_reason_why_no_image_can_be_read_is_said(images):
    with pytest.raises(ConfigError, match=r"class-0/0.png, has 8 x 8 pixels, more than data.max_"):
        check(parse({"data": {"root": str(images), "max_pixels": 63}}))


def test_the_folder_of_one_class_is_refused_by_name(images):
    with pytest.raises(ConfigError, match=r"class-0 is the folder of one class; name the folder"):
        check(config(images / "class-0"))


# Three groups of a class give each split an image, but those held out no pair of two groups.
@pytest.mark.parametrize(("each", "groups"), [(3, None), (4, None), (12, 2), (12, 3)])
def test_too_few_images_are_refused_with_the_number_that_suffices(tmp_path, each, groups):
    write_classes(tmp_path, each=each)
    splits = {"folds": None}
    if groups:
        splits["group"] = r"(g\d-\d)_"
        for path in list(tmp_path.glob("*/*.png")):
            name = f"g{path.parent.name[-1]}-{int(path.stem) % groups}_{path.name}"
            path.rename(path.with_name(name))
    with pytest.raises(ConfigError, match=r"too few images: the split 'validation' would have"):
        check(config(tmp_path, splits=splits))


def test_the_class_that_lacks_images_is_named(tmp_path):
    write_classes(tmp_path, each=20, classes=1)
    (tmp_path / "class-0").rename(tmp_path / "many")
    write_classes(tmp_path, each=1, classes=1)
    with pytest.raises(ConfigError, match=r"have \d+ images of 1 class and none of class-0, and"):
        check(config(tmp_path, splits={"folds": None}))
    with pytest.raises(ConfigError, match="too few images: class-0 with one image: no labelled"):
        check(config(tmp_path))


@pytest.mark.parametrize("unlabelled", [False, True])
def test_one_image_a_class_is_refused_with_what_to_do(tmp_path, unlabelled):
    write_classes(tmp_path / "data", each=1, classes=5)
    write_classes(tmp_path / "more", each=3, classes=1)
    encoder = tmp_path / "encoder.keras"
    encoder.touch()
    data = {"root": str(tmp_path / "data")}
    if unlabelled:
        data["unlabelled"] = str(tmp_path / "more")
    asked = parse({"data": data, "model": {"backbone": str(encoder)}})
    with pytest.raises(ConfigError) as refused:
        check(asked)
    assert "class-0, class-1, class-2 and 2 more with one image" in str(refused.value)
    assert "3 images of each class suffice" in str(refused.value)
    assert "siamese enroll" in str(refused.value)


def test_five_images_a_class_are_enough_for_splits_and_three_for_folds(tmp_path):
    write_classes(tmp_path / "five", each=5, classes=2)
    check(config(tmp_path / "five", splits={"folds": None}))
    write_classes(tmp_path / "three", each=3, classes=2)
    check(config(tmp_path / "three"))


def test_two_images_a_class_are_too_few_for_folds(tmp_path):
    write_classes(tmp_path, each=2, classes=3)
    with pytest.raises(ConfigError, match="no fold would have two images of one class"):
        check(config(tmp_path))


def test_folds_need_images_without_splits(tmp_path):
    for split in ("train", "validation", "test"):
        write_classes(tmp_path / split, each=6, classes=2)
    check(config(tmp_path))
    with pytest.raises(ConfigError, match=r"splits.folds: .*gives images their splits"):
        check(config(tmp_path, splits={"folds": 5}))


def test_files_of_the_model_are_there(images):
    for key, name in (("backbone", "encoder.keras"), ("weights", "my.weights.h5")):
        with pytest.raises(ConfigError, match=f"model.{key}: there is no file {name}"):
            check(config(images, model={key: name}))


def test_the_audit_knows_the_size_of_all_tiles(images):
    asked = config(images, image={"size": 64, "tiles": "2x3"})
    assert asked.audit_settings.size == 192


def test_imports_neither_tensorflow_nor_tfx(images):
    code = (
        "import sys\nfrom pipeline.config.reading import parse\n"
        "from pipeline.runs.preflight import check\n"
        f"check(parse({{'data': {{'root': {str(images)!r}}}}}))\n"
        "print([name for name in ('tensorflow', 'tfx', 'keras', 'ml_metadata') "
        "if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("sections", "error", "message"),
    [
        ({"model": {"backbone": "Resnet50"}}, BackboneError, "did you mean 'ResNet50'"),
        ({"image": {"size": 16}, "model": {"backbone": "VGG16", "weights": "none"}},
         BackboneError, "image.size 16"),
        ({"model": {"weights": "nowhere.h5"}}, WeightsError, "no such file"),
        (
            {"image": {"size": 32}, "model": {"weights": "none"},
             "tuner": {"enabled": True, "backbones": ["Conv4", "Conv5"]}},
            BackboneError,
            "'Conv5' is not in keras.applications; did you mean 'Conv4'",
        ),
    ],
)  # fmt: skip
def test_a_network_that_cannot_be_built_is_refused(images, sections, error, message):
    with pytest.raises(error, match=message):
        check_network(config(images, **sections))


def test_a_missing_extra_is_named_before_the_run(images, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(BackboneError, match=r"'dinov2_small' is of KerasHub, which"):
        check(config(images, model={"backbone": "dinov2_small"}))


def test_a_network_that_can_be_built_passes(images):
    check_network(config(images, image={"size": 32}, model={"weights": "none"}))


def test_a_folder_without_hyperparameters_is_refused(images, tmp_path):
    found = config(images, tuner={"reuse": str(tmp_path)})
    with pytest.raises(ConfigError, match=r"tuner\.reuse: .* holds no best_hyperparameters\.txt"):
        check(found)
    (tmp_path / "best_hyperparameters.txt").write_text("{}")
    check(found)
    check(config(images))


def test_a_folder_without_unknown_images_is_refused(images, tmp_path):
    unknown = tmp_path / "unknown"
    asked = config(images, judge={"unknown": str(unknown)})
    with pytest.raises(ConfigError, match=r"judge\.unknown: there is no folder .*/unknown; name"):
        check(asked)
    (unknown / "below").mkdir(parents=True)
    (unknown / "below/.hidden").touch()
    with pytest.raises(ConfigError, match=r"judge\.unknown: .*/unknown holds no files; name"):
        check(asked)
    (unknown / "below/1.png").touch()
    check(asked)
    with pytest.raises(ConfigError, match=r"there is no folder .*1\.png"):
        check(config(images, judge={"unknown": str(unknown / "below/1.png")}))
    check(config(images))
    check(config(images, judge={"unknown": "gs://no-such-bucket/unknown"}))


def test_a_folder_without_unlabelled_images_is_refused(tmp_path):
    write_classes(tmp_path / "images", each=10)
    asked = {"root": str(tmp_path / "images"), "unlabelled": str(tmp_path / "more")}
    with pytest.raises(ConfigError, match=r"data\.unlabelled: there is no folder .*/more; name a"):
        check(parse({"data": asked}))
    (tmp_path / "more").mkdir()
    with pytest.raises(ConfigError, match=r"data\.unlabelled: .*/more holds no files; name a"):
        check(parse({"data": asked}))


def test_a_server_that_is_not_at_hand(images, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="infra_check: tensorflow_model_server is not on the"):
        check(config(images, push={"infra_check": "tensorflow"}))
    check(config(images))
    check(config(images, push={"infra_check": None}))


def test_folds_of_more_images_than_fit_in_memory_are_refused(tmp_path, monkeypatch):
    write_classes(tmp_path, each=6, classes=2)
    monkeypatch.setattr("pipeline.runs.preflight.most_images", lambda *_: 11)
    with pytest.raises(ConfigError, match="12 images of this size do not fit"):
        check(config(tmp_path, splits={"folds": 5}))


def test_folds_are_dealt_before_they_are_promised(tmp_path):
    """No fold has two groups of one class and one of another, though a class has three."""
    write_classes(tmp_path, each=3, classes=1)
    (tmp_path / "class-0").rename(tmp_path / "b")
    write_classes(tmp_path, each=2, classes=1)
    (tmp_path / "class-0").rename(tmp_path / "a")
    for path in list(tmp_path.glob("*/*.png")):
        name = "one" if path.parent.name == "a" else path.stem
        path.rename(path.with_name(f"{name}_{path.name}"))
    with pytest.raises(ConfigError, match="no fold would have two images of one class"):
        check(config(tmp_path, splits={"group": r"([a-z0-9]+)_"}))
