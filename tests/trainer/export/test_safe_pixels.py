"""`safe_pixels` in a SavedModel, loaded by TensorFlow 2 and in a session."""

import resource

import numpy as np
import pytest
import tensorflow as tf
from encoded_images import bad_images, encode, png_bomb

from components.transform.pixels import decode_and_resize
from trainer.export.safe_pixels import safe_pixels

GOOD = {kind: encode(kind) for kind in ("PNG", "JPEG", "BMP", "GIF")}
BAD = [
    *bad_images(),
    *(whole[:-300] for whole in GOOD.values()),
    *(whole[:20] for whole in GOOD.values()),
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF8",
    b"BM",
]
MAX_PIXELS = 5000


def preprocess(encoded):
    return tf.map_fn(
        lambda one: tf.io.serialize_tensor(decode_and_resize(one, 16, "cubic")), encoded
    )


class Module(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def pixels(self, images):
        return safe_pixels(images, preprocess, 16, MAX_PIXELS)._asdict()


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    module, directory = Module(), str(tmp_path_factory.mktemp("module"))
    tf.saved_model.save(module, directory, {"serving_default": module.pixels})
    return directory


def loaded(directory):
    function = tf.saved_model.load(directory).signatures["serving_default"]
    return lambda images: {k: v.numpy() for k, v in function(images=tf.constant(images)).items()}


def in_a_session(directory):
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        graph = tf.compat.v1.saved_model.load(session, ["serve"], directory)
    signature = graph.signature_def["serving_default"]
    outputs = {name: tensor.name for name, tensor in signature.outputs.items()}
    return lambda images: session.run(outputs, {signature.inputs["images"].name: images})


@pytest.mark.parametrize("how", [loaded, in_a_session])
def test_bad_images_do_not_affect_the_others(directory, how):
    pixels = how(directory)
    batch = [b"junk", *GOOD.values(), *BAD, *GOOD.values()]
    answer = pixels(batch)
    assert answer["valid"].tolist() == [image in GOOD.values() for image in batch]
    assert ((answer["reason"] == b"") == answer["valid"]).all()
    for image, one in zip(batch, answer["pixels"], strict=True):
        expected = np.zeros((16, 16, 3), "uint8")
        if image in GOOD.values():
            expected = decode_and_resize(tf.constant(image), 16, "cubic").numpy()
        np.testing.assert_array_equal(one, expected)


@pytest.mark.parametrize("batch", [[b""], [b"junk"] * 40, []])
def test_no_valid_image_at_all(directory, batch):
    module = Module()
    answer = module.pixels(tf.constant(batch, tf.string))
    assert answer["pixels"].shape == (len(batch), 16, 16, 3)
    assert answer["valid"].numpy().tolist() == [False] * len(batch)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF"])
def test_the_limit_is_on_height_times_width(directory, kind):
    pixels = loaded(directory)
    largest, larger = encode(kind, 50, 100), encode(kind, 51, 100)
    assert pixels([largest, larger])["valid"].tolist() == [True, False]


def test_bombs_take_no_memory(directory):
    pixels = loaded(directory)
    # Whole, so that a decoder would go through with it: 400 million pixels as 1.2 GB of RGB.
    whole = encode_flat(20_000)
    pixels([GOOD["PNG"], png_bomb()])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = pixels([GOOD["PNG"], *[whole] * 4, *BAD] * 4)
    assert answer["valid"].sum() == 4
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100_000  # KB


def encode_flat(side):
    """A PNG of one colour, one bit per pixel: 50 KB."""
    import struct
    import zlib

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    rows = zlib.compressobj(9)
    row = b"\0" * (1 + side // 8)
    data = b"".join(rows.compress(row) for _ in range(side)) + rows.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
