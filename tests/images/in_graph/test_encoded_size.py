import numpy as np
import pytest
import tensorflow as tf
from encoded_images import (
    bmp_bomb,
    encode,
    gif_bomb,
    gif_frame_bomb,
    jpeg_bomb,
    png_bomb,
)
from PIL import Image

from images.in_graph.header import Refusal, read_headers

HUGE = 60_000**2
EXIF = Image.Exif()
EXIF[0x0112] = 6


def encoded_pixels(image):
    return read_headers(image[None], tf.constant(10**12, tf.int64)).pixels[0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF"])
def test_height_times_width(kind):
    assert encoded_pixels(tf.constant(encode(kind, 31, 17))) == 31 * 17


@pytest.mark.parametrize("options", [{"progressive": True}, {"exif": b"Exif\0\0" + b"x" * 999}])
def test_any_jpeg(options):
    assert encoded_pixels(tf.constant(encode("JPEG", 31, 17, **options))) == 31 * 17


@pytest.mark.parametrize(
    ("image", "pixels"),
    [
        (png_bomb(), HUGE),
        (jpeg_bomb(), HUGE),
        (bmp_bomb(), HUGE),
        (bmp_bomb(-60_000), HUGE),  # rows from top to bottom
        (gif_bomb(), 65_535**2),
        (gif_frame_bomb(), 65_535**2),
        (gif_frame_bomb(comment=300), 65_535**2),
    ],
)
def test_what_a_header_claims_without_decoding(image, pixels):
    assert encoded_pixels(tf.constant(image)) == pixels


def test_all_frames_of_a_gif_count():
    assert encoded_pixels(tf.constant(encode("GIF", 30, 40, frames=3))) == 3 * 30 * 40


def test_a_gif_of_endless_blocks_is_not_walked_to_its_end():
    assert encoded_pixels(tf.constant(gif_frame_bomb(comment=30_000))) == 0


@pytest.mark.parametrize("junk", [b"", b"B", b"junk", b"GIF7" + b"x" * 50, b"RIFF1234WEBP"])
def test_other_bytes_have_none(junk):
    assert encoded_pixels(tf.constant(junk)) == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF"])
def test_a_header_cut_off_anywhere_raises_no_error(kind):
    whole = encode(kind, 31, 17)
    cut = tf.constant([whole[:length] for length in range(60)])
    assert set(read_headers(cut, tf.constant(10**12, tf.int64)).pixels.numpy()) <= {
        *(0, 31 * 17, 31, 31 * 256, 17 * 256, 31 * 16, 31 * 17 * 256),
    }


def test_damaged_headers_raise_no_error():
    random = np.random.default_rng(0)
    damaged = []
    for kind in ("JPEG", "PNG", "BMP", "GIF"):
        whole = encode(kind, 31, 17, **({"exif": EXIF} if kind in ("JPEG", "PNG") else {}))
        for _ in range(50):
            data = bytearray(whole[: random.integers(10, len(whole))])
            for place in random.integers(0, min(100, len(data)), 5):
                data[place] = random.integers(256)
            damaged.append(bytes(data))
    assert len(read_headers(tf.constant(damaged), tf.constant(10**12, tf.int64)).pixels) == 200


def test_a_png_whose_first_chunk_is_another_is_refused():
    whole = encode("PNG")
    renamed = tf.constant([whole[:12] + b"iTXt" + whole[16:]])
    found = read_headers(renamed, tf.constant(10**12, tf.int64))
    assert found.refusal[0] == Refusal.UNKNOWN_FORMAT
