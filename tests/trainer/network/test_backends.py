"""The network, its losses and its augmentation give the same numbers on another Keras backend."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

COMPUTE = """
import json, sys
import keras, numpy as np
from trainer.settings import Model, Training, Augmentation
from trainer.network.siamese import Siamese

pixels = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3)).astype("uint8")
y = {
    "class": np.array([0, 0, 1, 1, 2, 2]),
    "left": np.array([0, 0, 2, 4]),
    "right": np.array([1, 2, 3, 1]),
    "target": np.array([1, 0, 1, 0]),
}
numbers = {"backend": keras.backend.backend()}
for loss in ("supervised_contrastive", "cosine_crossentropy", "contrastive_margin",
             "triplet_semi_hard", "binary_crossentropy"):
    model = Siamese(Model(backbone="Conv4", weights="none", embedding_size=8),
                    Training(loss=loss, augmentation=Augmentation(horizontal_flip=True)), 32)
    for number, weight in enumerate(model.weights):
        if "seed" not in weight.path and "moving" not in weight.path:
            shape = tuple(weight.shape)
            weight.assign(np.random.default_rng(number).normal(size=shape) * 0.3 + 0.1)
    embeddings = model(pixels)
    numbers[loss] = float(model.compute_loss(pixels, y, embeddings))
numbers["embeddings"] = keras.ops.convert_to_numpy(embeddings).tolist()
similarities = model.similarity(keras.ops.take(embeddings, y["left"], axis=0),
                                keras.ops.take(embeddings, y["right"], axis=0))
numbers["similarities"] = keras.ops.convert_to_numpy(similarities).tolist()
augmented = model.augmentation(pixels.astype("float32"), training=True)
numbers["augmented"] = float(keras.ops.std(augmented))
print(json.dumps(numbers))
"""

TRAIN = """
settings = Training(augmentation=None)
model = Siamese(Model(backbone="Conv4", weights="none", embedding_size=8), settings, 32)
model.compile(optimizer=keras.optimizers.Adam(0.003))
losses = [float(model.train_on_batch(pixels, y, return_dict=True)["loss"]) for _ in range(40)]
print(json.dumps(losses))
"""


def numbers(backend):
    done = subprocess.run(
        [sys.executable, "-c", COMPUTE],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_jax_computes_what_tensorflow_computes():
    pytest.importorskip("jax")
    ours, other = numbers("tensorflow"), numbers("jax")
    assert (ours.pop("backend"), other.pop("backend")) == ("tensorflow", "jax")
    assert ours.keys() == other.keys()
    assert ours.pop("augmented") == pytest.approx(other.pop("augmented"), rel=0.3)  # other draws
    for name, values in ours.items():
        np.testing.assert_allclose(values, other[name], rtol=2e-4, atol=1e-5, err_msg=name)


def test_the_network_trains_on_jax(tmp_path):
    pytest.importorskip("jax")
    train = COMPUTE.split("numbers =")[0] + TRAIN
    done = subprocess.run(
        [sys.executable, "-c", train],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    losses = json.loads(done.stdout.splitlines()[-1])
    assert losses[-1] < losses[0] * 0.9
