import pytest
from sample_images import write_classes

from pipeline.config.errors import ConfigError
from pipeline.config.reading import parse
from pipeline.runs.preflight import (
    check_blocks,
    check_engine,
    check_found_hyperparameters,
    check_network,
    check_unknown,
)
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
        check_blocks(config(images, pairs))


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
    check_blocks(config(images, pairs))


def test_what_cannot_be_counted_passes(images, tmp_path):
    large = {"classes_per_block": 99}
    check_blocks(config("gs://bucket/images", large))
    check_blocks(config(images, large, splits={"by": "class"}))
    (tmp_path / "train").mkdir()
    check_blocks(config(tmp_path, large))


@pytest.mark.parametrize(
    ("sections", "error", "message"),
    [
        ({"model": {"backbone": "Resnet50"}}, BackboneError, "did you mean 'ResNet50'"),
        ({"image": {"size": 16}, "model": {"weights": "none"}}, BackboneError, "image.size 16"),
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


def test_a_network_that_can_be_built_passes(images):
    check_network(config(images, image={"size": 32}, model={"weights": "none"}))


def test_a_folder_without_hyperparameters_is_refused(images, tmp_path):
    found = config(images, tuner={"reuse": str(tmp_path)})
    with pytest.raises(ConfigError, match=r"tuner\.reuse: .* holds no best_hyperparameters\.txt"):
        check_found_hyperparameters(found)
    (tmp_path / "best_hyperparameters.txt").write_text("{}")
    check_found_hyperparameters(found)
    check_found_hyperparameters(config(images))


def test_a_folder_without_unknown_images_is_refused(images, tmp_path):
    unknown = tmp_path / "unknown"
    asked = config(images, judge={"unknown": str(unknown)})
    with pytest.raises(ConfigError, match=r"judge\.unknown: there is no folder .*/unknown; name"):
        check_unknown(asked)
    (unknown / "below").mkdir(parents=True)
    (unknown / "below/.hidden").touch()
    with pytest.raises(ConfigError, match=r"judge\.unknown: .*/unknown holds no files; name"):
        check_unknown(asked)
    (unknown / "below/1.png").touch()
    check_unknown(asked)
    with pytest.raises(ConfigError, match=r"there is no folder .*1\.png"):
        check_unknown(config(images, judge={"unknown": str(unknown / "below/1.png")}))
    check_unknown(config(images))
    check_unknown(config(images, judge={"unknown": "gs://no-such-bucket/unknown"}))


def test_a_server_that_is_not_at_hand(images, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="infra_check: tensorflow_model_server is not on the"):
        check_engine(config(images, push={"infra_check": "tensorflow"}))
    check_engine(config(images))
    check_engine(config(images, push={"infra_check": None}))
