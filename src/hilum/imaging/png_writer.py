"""Writes samples of any layout as a PNG without loss. Knows PNG (ISO/IEC 15948) only, and no other metadata."""

from __future__ import annotations

import struct
import zlib

import deflate
import numpy as np
from numpy.typing import NDArray

from hilum.imaging.metadata import orientation_exif
from hilum.imaging.raster import Raster

_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_PALETTE = 3
_LEVEL = 1
"""Of deflate: rows are not filtered, so that more effort gains little."""


def write_png(raster: Raster) -> bytes:
    """Writes a raster; read again it gives the same grey values.

    Alpha that is multiplied into the colours already is left out, as the conversion to grey leaves it out.
    """
    samples = raster.samples if raster.samples.ndim == 3 else raster.samples[..., np.newaxis]
    if raster.layout.startswith("BGR"):
        samples = samples[..., [2, 1, 0, 3][: samples.shape[2]]]
    if raster.is_premultiplied and raster.layout.endswith("A"):
        samples = samples[..., :-1]
    height, width, channels = samples.shape
    depth = 16 if samples.dtype == np.uint16 else 8
    rows = np.ascontiguousarray(samples.astype(">u2") if depth == 16 else samples).view(np.uint8).reshape(height, -1)
    filtered = np.hstack([np.zeros((height, 1), np.uint8), rows])  # (H, 1 + bytes of a row): filter 0
    head = struct.pack(">IIBBBBB", width, height, depth, _COLOR_TYPES[channels], 0, 0, 0)
    exif = b"" if raster.orientation == 1 else _chunk(b"eXIf", orientation_exif(raster.orientation))
    body = _chunk(b"IDAT", zlib.compress(filtered.tobytes(), _LEVEL))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + exif + body + _chunk(b"IEND", b"")


def write_palette_png(levels: NDArray[np.uint8], colours: NDArray[np.uint8], opacity: NDArray[np.uint8]) -> bytes:
    """Writes a picture of at most 256 colours with opacity.

    Args:
        levels: (H, W) places in the palette.
        colours: (256, 3) RGB.
        opacity: (256,) 0 for transparent.
    """
    height, width = levels.shape
    filtered = np.zeros((height, 1 + width), np.uint8)  # filter 0
    filtered[:, 1:] = levels
    chunks = (
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _PALETTE, 0, 0, 0)),
        _chunk(b"PLTE", colours.tobytes()),
        _chunk(b"tRNS", opacity.tobytes()),
        _chunk(b"IDAT", bytes(deflate.zlib_compress(filtered, _LEVEL))),
        _chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + zlib.crc32(body, zlib.crc32(kind)).to_bytes(4)
