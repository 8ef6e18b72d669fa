import io

import numpy as np
from PIL import Image

from trainer.training.curves import draw_curves


def test_draws_what_there_is():
    history = {"loss": [3.0, 2.0], "auc": [0.6, 0.9], "val_auc": [0.5, float("nan")]}
    png = draw_curves(history, best_epoch=1, baselines={"raw": 0.5, "frozen": float("nan")})
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    assert len(np.unique(np.asarray(image))) > 10
