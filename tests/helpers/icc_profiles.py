"""Minimal ICC profiles (version 2) for tests."""

import struct

_D50 = (0.9642, 1, 0.8249)


def display_p3():
    """RGB: the primaries of Display P3, adapted to D50, and a gamma of 2.2."""
    primaries = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _gamma(2.2))
    return _profile(b"mntr", b"RGB ", b"XYZ ", {k: _xyz(v) for k, v in primaries.items()} | curves)


def linear_grey():
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _gamma(1.0)})


def swapped_inks():
    """CMYK: cyan ink prints red, all other inks print black."""
    red, white, black = (136, 208, 195), (255, 128, 128), (0, 128, 128)  # CIELAB, 8 bits
    grid = [
        black if any((m, y, k)) else red if c else white
        for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)
    ]  # fmt: skip
    identity = b"".join(_fixed(float(i in (0, 4, 8))) for i in range(9))
    ramp = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + 4 * ramp
    table += b"".join(map(bytes, grid)) + 3 * ramp
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table})


def _profile(kind, space, connection, tags):
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(79),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": _xyz(_D50),
        **tags,
    }
    start, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for sign, data in tags.items():
        table += sign + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I", start + len(body)) + b"lcms" + struct.pack(">I", 0x02100000)
    head += kind + space + connection + bytes(12) + b"acsp" + bytes(28)
    return head + b"".join(map(_fixed, _D50)) + bytes(48) + table + body


def _xyz(values):
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, values))


def _gamma(value):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256)) + b"\0\0"


def _fixed(value):
    return struct.pack(">i", round(value * 65536))
