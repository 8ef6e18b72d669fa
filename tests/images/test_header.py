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

from images.header import encoded_pixels

HUGE = 60_000**2


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
    pixels_of = tf.function(encoded_pixels)  # step by step it would take a minute
    assert pixels_of(tf.constant(gif_frame_bomb(comment=30_000))) == 0


@pytest.mark.parametrize("junk", [b"", b"B", b"junk", b"GIF7" + b"x" * 50, b"RIFF1234WEBP"])
def test_other_bytes_have_none(junk):
    assert encoded_pixels(tf.constant(junk)) == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF"])
def test_a_header_cut_off_anywhere_is_refused_or_claims_what_the_whole_does(kind):
    whole = encode(kind, 31, 17)
    pixels_of = tf.function(encoded_pixels, input_signature=[tf.TensorSpec([], tf.string)])
    for length in range(0, 60):
        try:
            pixels = pixels_of(tf.constant(whole[:length]))
        except tf.errors.OpError:
            continue
        assert pixels in (0, 31 * 17)


def test_a_png_whose_first_chunk_is_another_has_none():
    whole = encode("PNG")
    assert encoded_pixels(tf.constant(whole[:12] + b"iTXt" + whole[16:])) == 0
