"""An image's inspection: what is passed on can be decoded."""

import numpy as np
import tensorflow as tf
from ingestion import value
from PIL import Image
from sample_images import encoded

from components.image_example_gen.inspection import image_record, inspect
from components.image_example_gen.sources import Source
from records import features


def test_damaged_bytes_never_reach_transform(tmp_path):
    """Whatever is passed on must decode: an undecodable image would end the run in Transform."""
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (24, 24, 3), "uint8"))
    passed = 0
    for kind in ("PNG", "JPEG", "BMP", "GIF"):
        original = np.frombuffer(encoded(noise, kind), "uint8")
        for _ in range(100):
            damaged = original.copy()
            damaged[rng.integers(0, len(damaged), 3)] = rng.integers(0, 256, 3)
            (tmp_path / "x").write_bytes(damaged.tobytes())
            source = Source("x", "a")
            if inspect(source, str(tmp_path), 10**6).problem is None:
                record = image_record(source, str(tmp_path), 10**6).features.feature
                pixels = tf.io.decode_image(value(record, features.IMAGE), channels=3)
                assert pixels.shape[0] == value(record, features.HEIGHT)
                passed += 1
    assert passed > 50
