"""Classifies images by the model in this folder; needs NumPy, Pillow and the network's runtime."""

import functools
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

RESIZE = {"stretch": Image.Image.resize, "crop": ImageOps.fit}
RESIZE["pad"] = functools.partial(ImageOps.pad, color=(128, 128, 128))


def pixels(file, has):
    """Return the networks' input of an image file, float32 [1, height, width, 3], 0 to 255."""
    image = ImageOps.exif_transpose(Image.open(file)).convert("RGB")
    if len(has["region"]):  # left, top, right, bottom
        image = image.crop(has["region"].tolist())
    size, method = has["size"][::-1].tolist(), Image.Resampling[str(has["interpolation"])]
    return np.asarray(RESIZE[str(has["resize"])](image, size, method), np.float32)[None]


def load(file):
    if file.suffix == ".keras":
        import keras

        return keras.models.load_model(file, compile=False).predict_on_batch
    if file.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(file))
        return lambda values: session.run(None, {"pixels": values})[0]
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tensorflow.lite.python.interpreter import Interpreter
    run = Interpreter(str(file), num_threads=1).get_signature_runner()
    [name] = run.get_input_details()
    return lambda values: next(iter(run(**{name: values}).values()))


class Model:
    def __init__(self, folder):
        self.has = dict(np.load(Path(folder) / "model.npz"))
        self.networks = [load(Path(folder) / name) for name in self.has["networks"]]

    def embed(self, file):
        return functools.reduce(lambda x, run: run(x), self.networks, pixels(file, self.has))[0]

    def classify(self, file):
        query = self.embed(file) - self.has["centre"]
        scores = 1 - ((query / np.linalg.norm(query) - self.has["centroids"]) ** 2).sum(1) / 2
        two = np.sort(scores)[-2:][[-1, 0]]  # best and second; of one class, it twice
        return str(self.has["classes"][scores.argmax()]), two @ self.has["score_weights"]


if __name__ == "__main__":
    model = Model(Path(__file__).parent)
    for name, (label, score) in ((name, model.classify(name)) for name in sys.argv[1:]):
        print(f"{name}: {label if score >= model.has['known'] else 'unknown'} ({score:.3f})")
