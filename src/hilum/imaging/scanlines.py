"""PNG's filtered rows: inflated at once, and reduced to one channel where all say the same. Knows no chunks.

libpng undoes the filters; what it gets here has a quarter of the bytes and needs no inflating. Sources: ISO/IEC 15948,
section 9 (filters); RFC 1950 and RFC 1951 (zlib, stored blocks).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import cv2
import deflate
import numpy as np
from numpy.typing import NDArray

_LARGEST_BLOCK = 65_535
_PAETH = 4
"""The last of the five filters: none, sub, up, average, Paeth."""

_OPAQUE_FIRST_ROW = np.array([[255, 255], [255, 0], [255, 255], [255, 128], [255, 0]], np.uint8)
_OPAQUE_ROW = np.array([[255, 255], [255, 0], [0, 0], [128, 0], [0, 0]], np.uint8)
"""By filter: what an alpha of 255 everywhere becomes in the first pixel of a row, and in the others."""


def inflated(idat: Sequence[memoryview], size: int) -> bytearray | None:
    """Inflates a PNG's image data by libdeflate, which checks Adler-32.

    Args:
        idat: what its IDAT chunks hold.
        size: of all its filtered rows, in bytes.

    Returns:
        The filtered rows; None where the data are damaged, of another size, or followed by others.
    """
    packed = idat[0] if len(idat) == 1 else b"".join(idat)
    try:
        rows = deflate.zlib_decompress(packed, size)
    except deflate.DeflateError:
        return None
    is_whole = len(rows) == size and packed[-4:] == deflate.adler32(rows).to_bytes(4)  # nothing may follow
    return rows if is_whole else None


def one_channel(rows: bytearray, width: int, height: int, channels: int) -> bytearray | None:
    """The filtered rows of the grey picture that a colour picture of grey pixels shows.

    A filter works on each channel by itself, so channels whose filtered bytes are equal are equal.

    Args:
        rows: filtered rows of 8 bits a channel, not interlaced.
        width, height: in pixels.
        channels: 3 for RGB, 4 for RGBA.

    Returns:
        Filtered rows of one channel; None where a pixel has colour or is not opaque, or a filter is unknown.
    """
    table = np.frombuffer(rows, np.uint8).reshape(height, 1 + width * channels)
    filters = table[:, 0]
    if filters.max() > _PAETH:
        return None
    planes = [np.empty((height, width), np.uint8) for _ in range(channels)]
    cv2.split(table[:, 1:].reshape(height, width, channels), planes)
    red, green, blue = planes[:3]
    if cv2.norm(red, green, cv2.NORM_INF) or cv2.norm(red, blue, cv2.NORM_INF):
        return None
    if channels == 4 and not _is_opaque(planes[3], filters):
        return None
    grey = bytearray(height * (1 + width))
    target = np.frombuffer(grey, np.uint8).reshape(height, 1 + width)
    target[:, 0] = filters
    target[:, 1:] = red
    return grey


def stored(rows: bytearray) -> bytes:
    """A zlib stream that holds `rows` as they are."""
    view = memoryview(rows)
    parts: list[bytes | memoryview] = [b"\x78\x01"]
    for at in range(0, len(view), _LARGEST_BLOCK):
        block = view[at : at + _LARGEST_BLOCK]
        is_last = at + _LARGEST_BLOCK >= len(view)
        parts += (struct.pack("<BHH", is_last, len(block), len(block) ^ 0xFFFF), block)
    return b"".join([*parts, deflate.adler32(rows).to_bytes(4)])


def _is_opaque(alpha: NDArray[np.uint8], filters: NDArray[np.uint8]) -> bool:
    """Whether filtered alpha (H, W) is that of a picture without a transparent pixel."""
    expected = _OPAQUE_ROW[filters]  # (H, 2)
    expected[0] = _OPAQUE_FIRST_ROW[filters[0]]
    return bool((alpha[:, 0] == expected[:, 0]).all() and (alpha[:, 1:] == expected[:, 1:]).all())
