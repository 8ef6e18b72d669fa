"""Exports of a small served model for devices: equal answers, or nothing is written."""

import io
import subprocess
import sys
from functools import partial

import keras
import numpy as np
import pytest
from command_line import siamese
from exported_model import SIZE, export, write_images

from base.errors import UserError
from components.judge.exported_model import JudgedModel
from components.judge.labelled_folder import load_model
from images.canonical import Region
from pipeline.config import reading
from pipeline.edge_export import NotEqual, Wanted
from pipeline.edge_export import export as write
from pipeline.terminal.console import WRONG_USE
from records.training_keys import key_of_file
from serving.edge import classify
from trainer.export.constants import to_constants
from trainer.network.siamese import Siamese
from trainer.settings import Model, Training

pytestmark = pytest.mark.slow

CLASSES, EACH = 3, 4


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model whose features are averaged, its training images, other images and its encoder."""
    root = tmp_path_factory.mktemp("edge")
    keras.utils.set_random_seed(0)
    keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(12, 4, strides=4, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
        ]
    ).save(root / "backbone.keras")
    model = network(root)
    export(model, root / "served" / "1", CLASSES, EACH)
    model.encoder.save(root / "encoder.keras")
    for label in range(CLASSES):
        write_images(root / "data" / f"class-{label}", label, range(EACH))
        write_images(root / "other" / f"class-{label}", label, range(50, 56))
    return root


def network(place):
    settings = Model(backbone=str(place / "backbone.keras"), embedding_size=None)
    return Siamese(settings, Training(), SIZE)


def wanted(place, output, **other):
    config = reading.parse(
        {"data": {"root": str(place / "other")}, "output": "/", "image": {"size": SIZE}}, "here"
    )
    values = Wanted(
        place / "served",
        "litert",
        False,
        None,
        place / "other",
        place / "data",
        config,
        0.0,
        output,
    )
    return values._replace(**other)


def embeddings(place, folder):
    """Of an image by the served model and by the export."""
    image = (place / "other/class-1/50.png").read_bytes()
    served, _ = load_model(place / "served")
    [expected] = served.embed([image]).embeddings
    return expected, classify.Model(folder).embed(io.BytesIO(image))


@pytest.fixture(scope="module")
def litert(place):
    """An export in floats, and what was told of it."""
    return place / "litert", write(wanted(place, place / "litert"), lambda _: None)


def test_floats_give_the_same_answers(place, litert):
    folder, done = litert
    assert sorted(done.files) == ["classify.py", "encoder.tflite", "model.npz"]
    assert (done.images, done.agreeing) == (18, 18)
    assert done.accuracy.difference.value == 0
    expected, found = embeddings(place, folder)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_arrays_are_of_the_support_set(place, litert):
    has = classify.Model(litert[0]).has
    served, _ = load_model(place / "served")
    assert has["classes"].tolist() == ["class-0", "class-1", "class-2"]
    np.testing.assert_allclose(has["support"], served.support.embeddings, atol=1e-4)
    assert float(has["known"]) == pytest.approx(0.6)
    assert float(has["same"]) == pytest.approx(0.5)
    left, right = served.support.embeddings[[0, 5]]
    logit = has["scale"] * (left @ right) + has["offset"]
    expected = served.similarity(left[None], right[None])[0]
    assert 1 / (1 + np.exp(-logit)) == pytest.approx(expected, abs=1e-3)


def test_the_example_needs_nothing_else(place, litert):
    """The copy in the export's folder, by itself."""
    images = [f"other/class-{label}/50.png" for label in (0, 2)]
    done = subprocess.run(
        [sys.executable, str(litert[0] / "classify.py"), *images],
        cwd=place, capture_output=True, text=True, check=True, env={},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == images
    assert lines[0].startswith(f"{images[0]}: class-0 (")
    assert len((litert[0] / "classify.py").read_text().splitlines()) <= 60


def test_integers_are_nearly_equal(place, tmp_path):
    done = write(wanted(place, tmp_path / "out", int8=True, allowed_loss=0.1), lambda _: None)
    assert {"encoder.tflite", "head.tflite"} <= set(done.files)
    assert done.agreeing >= 17
    expected, found = embeddings(place, tmp_path / "out")
    assert expected @ found > 0.99
    assert not np.array_equal(expected, found)


def test_keras(place, tmp_path):
    asked = wanted(place, tmp_path / "out", format="keras", encoder=place / "encoder.keras")
    assert write(asked, lambda _: None).agreeing == 18
    expected, found = embeddings(place, tmp_path / "out")
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_onnx(place, tmp_path):
    done = write(wanted(place, tmp_path / "out", format="onnx"), lambda _: None)
    assert sorted(done.files) == ["classify.py", "encoder.onnx", "model.npz"]
    assert (done.images, done.agreeing) == (18, 18)
    expected, found = embeddings(place, tmp_path / "out")
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_onnx_of_weights_that_are_variables(place, tmp_path, monkeypatch):
    """As those of networks that are too large for constants."""
    variables = partial(to_constants, most_bytes=0)
    monkeypatch.setattr("trainer.export.signatures.to_constants", variables)
    export(network(place), tmp_path / "served" / "1", CLASSES, EACH)
    model, _ = load_model(tmp_path / "served")
    assert [v.shape for v in model.loaded.body.concrete_functions[0].variables] == [
        (4, 4, 3, 12),
        (12,),
    ]
    asked = wanted(place, tmp_path / "out", format="onnx", model=tmp_path / "served")
    done = write(asked, lambda _: None)
    assert (done.images, done.agreeing) == (18, 18)
    expected, found = embeddings(place, tmp_path / "out")
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_onnx_without_its_packages(place, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(UserError, match=r"needs tf2onnx.*pip install 'siamese-tfx\[onnx\]'"):
        write(wanted(place, tmp_path / "out", format="onnx"), lambda _: None)


def test_images_of_the_training_prove_nothing(place, tmp_path, monkeypatch):
    """As those of a run with folds, which trains on all of its images."""
    keys = [key_of_file(image.read_bytes()) for image in place.glob("other/*/*.png")]
    monkeypatch.setattr(JudgedModel, "training_keys", np.array(keys))
    with pytest.raises(UserError, match=r"18 test images .* if splits\.folds is on; name images"):
        write(wanted(place, tmp_path / "out"), lambda _: None)
    assert not any(tmp_path.iterdir())


def test_what_is_worse_is_not_written(place, tmp_path):
    config = wanted(place, tmp_path).config
    corner = config.image.model_copy(update={"region": Region(0, 0, 1, 1)})
    other = config.model_copy(update={"image": corner})
    with pytest.raises(NotEqual, match=r"a loss of .* and 0\.0% is allowed"):
        write(wanted(place, tmp_path / "out", config=other), lambda _: None)
    assert not (tmp_path / "out").exists()
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--int8", "--set", "a=b"], "give one by --config"),
        (["-o", "served"], "exists already"),
        (["-o", "none/out"], "there is no folder none"),
        (["--model", "s3://a/b"], "is not on this machine"),
    ],
)
def test_wrong_use(place, monkeypatch, options, message):
    monkeypatch.chdir(place)
    usual = {"--model": "served", "--images": "other", "-o": "out"}
    for name in usual.keys() & set(options):
        usual[name] = options[options.index(name) + 1]
    rest = [o for o in options if o not in usual and o not in usual.values()]
    given = [word for pair in usual.items() for word in pair]
    result = siamese("export", *given, *rest)
    assert result.exit_code == WRONG_USE
    assert message in result.everything


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"int8": True, "data": None}, "--int8 needs the support images"),
        ({"format": "keras"}, "needs --encoder"),
        ({"format": "keras", "int8": True}, "needs --format litert; keras computes in floats"),
        ({"format": "onnx", "int8": True}, "needs --format litert; onnx computes in floats"),
    ],
)
def test_what_is_missing_is_named(place, tmp_path, other, message):
    with pytest.raises(Exception, match=message):
        write(wanted(place, tmp_path / "out", **other), lambda _: None)
