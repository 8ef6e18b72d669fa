"""Files of more than eight bits a value, each with the values that they hold."""

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image, ImageCms

RAMP = np.arange(24 * 20).reshape(24, 20)
"""480 levels, more than 8 bits hold."""

COLOURS = np.stack([RAMP * 8, RAMP * 4 + 9, RAMP], axis=-1).astype(np.uint16)


def _pillow(values, kind="TIFF", **options):
    file = io.BytesIO()
    Image.fromarray(values).save(file, kind, **options)
    return file.getvalue()


def _opencv(values, kind):
    return cv2.imencode(kind, values)[1].tobytes()


def grey_png(values):
    return _opencv(values.astype(np.uint16), ".png")


def signed_tiff():
    """As CT scanners write Hounsfield units: 16 bits with a sign, which Pillow does not write."""
    values = RAMP * 6 - 1000
    data = values.astype("<i2").tobytes()
    height, width = values.shape
    tags = [
        (256, 4, width), (257, 4, height), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, 8),
        (277, 3, 1), (278, 4, height), (279, 4, len(data)), (339, 3, 2),
    ]  # fmt: skip
    entries = b"".join(
        struct.pack("<HHI", tag, kind, 1) + struct.pack("<I" if kind == 4 else "<Hxx", value)
        for tag, kind, value in tags
    )
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory, values


def png_with_transparent_value():
    def chunk(kind, body):
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    values = RAMP * 16
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    height, width = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"tRNS", b"\0\0"), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks), values


def with_alpha():
    """Its upper half is transparent, over which white is 65535."""
    alpha = np.full(RAMP.shape, 65535, np.uint16)
    alpha[:12] = 0
    values = COLOURS.copy()
    values[:12] = 65535
    return _opencv(np.dstack([COLOURS[..., ::-1], alpha]), ".png"), values


def with_profile(png, profile):
    """Pillow writes no 16-bit colours: its profile chunk goes between the header and the pixels."""
    other = _pillow(np.zeros((8, 8, 3), np.uint8), "PNG", icc_profile=profile)
    return png[:33] + other[33 : other.index(b"IDAT") - 4] + png[33:]


def turned_png():
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = np.rot90(RAMP, 1).astype(np.uint16)
    return _pillow(np.ascontiguousarray(lying), "PNG", exif=exif.tobytes()), RAMP


KINDS = {
    "12-bit PNG": (grey_png(RAMP * 8), RAMP * 8),
    "16-bit PNG": (grey_png(RAMP * 128), RAMP * 128),
    "16-bit colour PNG": (_opencv(COLOURS[..., ::-1], ".png"), COLOURS),
    "16-bit colour PNG in sRGB": (
        with_profile(
            _opencv(COLOURS[..., ::-1], ".png"),
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        ),
        COLOURS,
    ),
    "16-bit colour PNG with alpha": with_alpha(),
    "16-bit PNG with tRNS": png_with_transparent_value(),
    "turned 16-bit PNG": turned_png(),
    "16-bit TIFF": (_pillow((RAMP * 100).astype(np.uint16)), RAMP * 100),
    "16-bit colour TIFF": (_opencv(COLOURS[..., ::-1], ".tiff"), COLOURS),
    "signed 16-bit TIFF": signed_tiff(),
    "int32 TIFF": (_pillow((RAMP * 200).astype(np.int32)), RAMP * 200),
    "float TIFF": (_pillow((RAMP / 480).astype(np.float32)), (RAMP / 480).astype(np.float32)),
    "PGM": (_opencv((RAMP * 8).astype(np.uint16), ".pgm"), RAMP * 8),
}
"""Name to the file's bytes and its upright values, [h, w] or RGB [h, w, 3]."""
