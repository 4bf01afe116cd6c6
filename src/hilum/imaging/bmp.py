"""BMP, read whole in numpy: no native decoder sees it. Knows uncompressed bottom-up bitmaps only."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.errors import ColorModeUnsupported, ImageCorrupt, ImageTooLarge, ImageTruncated, TrailingData
from hilum.imaging.limits import Limits, check_size
from hilum.imaging.raster import Raster

_HEADER_SIZES = {40, 52, 56, 64, 108, 124}
_RGB, _BITFIELDS, _ALPHA_BITFIELDS = 0, 3, 6
_DEPTHS = {1, 4, 8, 16, 24, 32}


@dataclass
class _Header:
    size: int
    width: int
    height: int
    bits: int
    compression: int
    colors: int
    pixels_at: int

    @property
    def stride(self) -> int:
        return (self.width * self.bits + 31) // 32 * 4


def read_bmp(data: bytes, limits: Limits) -> Raster:
    """Reads an uncompressed BMP of 1, 4, 8, 16, 24 or 32 bits a pixel.

    Raises:
        InputRejected: damaged, cut short, compressed, top-down, outside the caps, or followed by other data.
    """
    header = _read_header(data, limits)
    end = header.pixels_at + header.stride * header.height
    if end > len(data):
        raise ImageTruncated("The BMP has fewer rows than its header says.")
    _check_end(data, header, end)
    rows = np.frombuffer(data, np.uint8, header.stride * header.height, header.pixels_at)
    rows = rows.reshape(header.height, header.stride)[::-1]
    if header.bits <= 8:
        return Raster(_through_palette(data, header, rows), "RGB", "P")
    if header.bits == 24:
        return Raster(rows[:, : 3 * header.width].reshape(header.height, header.width, 3).copy(), "BGR", "RGB")
    return _through_masks(data, header, rows)


def _read_header(data: bytes, limits: Limits) -> _Header:
    if len(data) < 54:
        raise (
            ImageCorrupt("The BMP ends inside its header.")
            if len(data) < 18
            else ImageTruncated("The BMP ends inside its header.")
        )
    pixels_at, size, width, height, planes, bits, compression = struct.unpack_from("<IIiiHHI", data, 10)
    (colors,) = struct.unpack_from("<I", data, 46)
    if size not in _HEADER_SIZES or planes != 1 or bits not in _DEPTHS or width <= 0:
        raise ImageCorrupt("The BMP header is impossible.")
    if max(width, abs(height)) > limits.max_side:
        raise ImageTooLarge(f"The BMP is {width} x {abs(height)} pixels.", limit=limits.max_side)
    if height <= 0:
        raise ImageCorrupt("The BMP's height is negative or zero; save it bottom-up.")
    allowed = {_RGB, _BITFIELDS, _ALPHA_BITFIELDS} if bits in {16, 32} else {_RGB}
    if compression not in allowed:
        raise ColorModeUnsupported("The BMP is compressed; save it uncompressed or as PNG.")
    check_size(width, height, limits, bytes_per_pixel=4)
    if pixels_at < 14 + size:
        raise ImageCorrupt("The BMP's pixels overlap its header.")
    if pixels_at > len(data):
        raise ImageTruncated("The BMP ends before its pixels.")
    return _Header(size, width, height, bits, compression, colors, pixels_at)


def _check_end(data: bytes, header: _Header, end: int) -> None:
    """Allows a V5 header's colour profile and up to three bytes of padding after the pixels."""
    if header.size == 124:
        profile_at, profile_bytes = struct.unpack_from("<II", data, 14 + 112)
        if profile_bytes and 14 + profile_at >= end:
            end = 14 + profile_at + profile_bytes
    if len(data) - end > 3 or any(data[end:]):
        raise TrailingData(f"{len(data) - end} bytes follow the end of the BMP.", actual=len(data) - end)


def _through_palette(data: bytes, header: _Header, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    colors = header.colors or 1 << header.bits
    start = 14 + header.size
    if colors > 1 << header.bits or start + 4 * colors > header.pixels_at:
        raise ImageCorrupt("The BMP's palette does not fit before its pixels.")
    table = np.frombuffer(data, np.uint8, 4 * colors, start).reshape(-1, 4)[:, 2::-1]
    if header.bits == 1:
        indices = np.unpackbits(rows, axis=1)
    elif header.bits == 4:
        indices = np.dstack([rows >> 4, rows & 15]).reshape(header.height, -1)
    else:
        indices = rows
    indices = indices[:, : header.width]
    if indices.max() >= colors:
        raise ImageCorrupt("A BMP pixel points past the end of the palette.")
    return np.ascontiguousarray(table[indices])


def _masks(data: bytes, header: _Header) -> tuple[int, ...]:
    if header.compression == _RGB:
        return (0x7C00, 0x03E0, 0x001F, 0) if header.bits == 16 else (0xFF0000, 0xFF00, 0xFF, 0)
    # V1 headers are followed by three masks, later ones contain them, and an alpha mask from V3 on.
    has_alpha = header.size >= 56 or header.compression == _ALPHA_BITFIELDS
    masks_end = 54 + (16 if has_alpha else 12)
    if masks_end > header.pixels_at:
        raise ImageCorrupt("The BMP's channel masks are missing.")
    masks = struct.unpack_from("<IIII" if has_alpha else "<III", data, 54)
    return masks if has_alpha else (*masks, 0)


def _through_masks(data: bytes, header: _Header, rows: NDArray[np.uint8]) -> Raster:
    masks = _masks(data, header)
    words = np.ascontiguousarray(rows[:, : header.width * header.bits // 8])
    packed = words.view("<u2" if header.bits == 16 else "<u4").astype(np.uint32)
    has_alpha = masks[3] != 0
    planes = [_channel(packed, mask, header.bits) for mask in masks[: 4 if has_alpha else 3]]
    return Raster(np.dstack(planes), "RGBA" if has_alpha else "RGB", "RGBA" if has_alpha else "RGB")


def _channel(packed: NDArray[np.uint32], mask: int, bits: int) -> NDArray[np.uint8]:
    shift = (mask & -mask).bit_length() - 1
    width = (mask >> max(shift, 0)).bit_length()
    if mask == 0 or mask >> bits or (mask >> shift) + 1 != 1 << width or width > 16:
        raise ImageCorrupt("A BMP channel mask is impossible.")
    values = (packed & np.uint32(mask)) >> np.uint32(shift)
    top = (1 << width) - 1
    return ((values * np.uint32(255) + np.uint32(top // 2)) // np.uint32(top)).astype(np.uint8)
