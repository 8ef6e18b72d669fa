"""Encoded images for tests: whole ones of each kind, and ones that no server should decode."""

import io

import numpy as np
from PIL import Image


def encode(kind: str, width: int = 30, height: int = 40, frames: int = 1, **options) -> bytes:
    """Noise, as Pillow encodes it."""
    rng = np.random.default_rng(width + height)
    pictures = [
        Image.fromarray(rng.integers(0, 256, (height, width, 3)).astype("uint8"))
        for _ in range(frames)
    ]
    if frames > 1:
        options |= {"save_all": True, "append_images": pictures[1:]}
    file = io.BytesIO()
    pictures[0].save(file, kind, **options)
    return file.getvalue()


def png_bomb() -> bytes:
    """A header that claims 60,000 x 60,000 pixels."""
    whole = encode("PNG")
    return whole[:16] + 2 * (60_000).to_bytes(4, "big") + whole[24:]


def bmp_bomb(height: int = 60_000) -> bytes:
    whole = encode("BMP")
    sides = (60_000).to_bytes(4, "little") + height.to_bytes(4, "little", signed=True)
    return whole[:18] + sides + whole[26:]


def jpeg_bomb() -> bytes:
    whole = encode("JPEG")
    start = whole.index(b"\xff\xc0") + 5  # the frame's header: height, width
    return whole[:start] + 2 * (60_000).to_bytes(2, "big") + whole[start + 4 :]


def gif_bomb() -> bytes:
    """A logical screen of 65,535 x 65,535 pixels."""
    whole = encode("GIF")
    return whole[:6] + b"\xff" * 4 + whole[10:]


def gif_frame_bomb(comment: int = 0) -> bytes:
    """The same in the frame's descriptor alone, which is what TensorFlow goes by."""
    whole = encode("GIF")
    start = 13 + 3 * 2 ** (whole[10] % 8 + 1)
    frame = whole.index(b"\x2c\0\0\0\0", start)
    remark = b"\x21\xfe" + b"\x01," * comment + b"\0"
    return whole[:frame] + remark + whole[frame : frame + 5] + b"\xff" * 4 + whole[frame + 9 :]


def bad_images() -> list[bytes]:
    """Cut off, junk, empty, and bombs of every kind."""
    return [
        encode("JPEG")[:-300],
        b"junk",
        b"",
        png_bomb(),
        bmp_bomb(),
        gif_bomb(),
        gif_frame_bomb(),
        jpeg_bomb(),
    ]
