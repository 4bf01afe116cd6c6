"""TIFF pixels: unsigned grey, colour and palette, in strips or tiles. libtiff unpacks bytes; the rest is ours."""

from __future__ import annotations

import io
import math
import struct
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hilum.errors import ColorModeUnsupported, ImageCorrupt, ImageTruncated, PixelValuesInvalid, UnsupportedMediaType
from hilum.imaging import tiff_directory as tags
from hilum.imaging.limits import Limits, check_size
from hilum.imaging.metadata import icc_warnings
from hilum.imaging.raster import Layout, Raster, Samples
from hilum.imaging.tiff_directory import Directory, read_directory

_RAW = 1
_PACKED = {5: 4096, 8: 1032, 32946: 1032, 32773: 64}
"""The compressions read (LZW, deflate twice, PackBits), and a bound of how far each can expand."""

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = 0, 1, 2, 3
_ASSOCIATED, _UNASSOCIATED = 1, 2


@dataclass(frozen=True)
class _Geometry:
    width: int
    height: int
    bits: int
    channels: int
    compression: int
    photometric: int
    is_planar: bool
    predictor: int
    block_width: int
    block_height: int

    @property
    def block_channels(self) -> int:
        return 1 if self.is_planar else self.channels

    @property
    def row_bytes(self) -> int:
        return (self.block_width * self.block_channels * self.bits + 7) // 8


def read_tiff(data: bytes, limits: Limits) -> Raster:
    """Reads a TIFF or BigTIFF with one image of unsigned integers of 1, 2, 4, 8 or 16 bits.

    Raises:
        InputRejected: damaged, cut short, of several pages, of other numbers or outside the caps.
    """
    directory = read_directory(data, limits)
    geometry = _geometry(directory, limits)
    samples = _assemble(data, directory, geometry)
    orientation = directory.one(tags.ORIENTATION, 1)
    orientation = orientation if 1 <= orientation <= 8 else 1
    warnings = icc_warnings(directory.profile)
    if geometry.photometric == _PALETTE:
        return Raster(_through_palette(samples, directory, geometry), "RGB", "P", orientation, warnings)
    if geometry.bits < 8:
        samples = samples * np.uint8(255 // ((1 << geometry.bits) - 1))
    if geometry.photometric == _WHITE_IS_ZERO:
        samples[..., 0] = np.iinfo(samples.dtype).max - samples[..., 0]
    samples, layout, is_premultiplied = _channels(samples, directory, geometry)
    mode = layout + (f";{geometry.bits}" if geometry.bits != 8 else "")
    return Raster(samples, layout, mode, orientation, warnings, is_premultiplied)


def _geometry(directory: Directory, limits: Limits) -> _Geometry:
    width, height = directory.one(tags.WIDTH), directory.one(tags.HEIGHT)
    bits, channels = directory.one(tags.BITS, 1), directory.one(tags.SAMPLES, 1)
    photometric = directory.one(tags.PHOTOMETRIC)
    if not width or not height or not 1 <= channels <= 16 or len(directory.values.get(tags.BITS, (1,))) > channels:
        raise ImageCorrupt("The TIFF's size or channel count is impossible.")
    check_size(width, height, limits, bytes_per_pixel=2 * channels * max(1, bits // 8))
    _check_numbers(directory, bits)
    compression = directory.one(tags.COMPRESSION, _RAW)
    if compression != _RAW and compression not in _PACKED:
        raise UnsupportedMediaType(
            f"TIFF compression {compression} is not read; save it uncompressed, LZW or deflated, or as PNG."
        )
    if photometric not in {_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE} or (bits < 8 and channels > 1):
        raise ColorModeUnsupported(f"TIFF colour mode {photometric} is not read; save it as grey or RGB.")
    planar, predictor = directory.one(tags.PLANAR, 1), directory.one(tags.PREDICTOR, 1)
    if planar not in {1, 2} or predictor not in {1, 2} or (predictor == 2 and bits < 8):
        raise ImageCorrupt("The TIFF's planes or predictor are impossible.")
    if directory.is_tiled:
        block_width, block_height = directory.one(tags.TILE_WIDTH), directory.one(tags.TILE_HEIGHT)
        limit = max(limits.max_side, 16)
        if not all(0 < side <= limit and side % 16 == 0 for side in (block_width, block_height)):
            raise ImageCorrupt("The TIFF's tile size is impossible.")
        # Tiles may overhang the picture, and all of them are unpacked whole.
        padded = -(-width // block_width) * block_width, -(-height // block_height) * block_height
        any_shape = replace(limits, max_aspect=math.inf, max_side=2 * limits.max_side)
        check_size(*padded, any_shape, bytes_per_pixel=2 * channels * max(1, bits // 8))
    else:
        block_width, block_height = width, min(height, directory.one(tags.ROWS_PER_STRIP, height) or height)
    return _Geometry(
        width, height, bits, channels, compression, photometric,
        planar == 2 and channels > 1, predictor, block_width, block_height,
    )  # fmt: skip


def _check_numbers(directory: Directory, bits: int) -> None:
    sample_format = directory.one(tags.SAMPLE_FORMAT, 1)
    if sample_format != 1 or bits in {24, 32, 64}:
        raise PixelValuesInvalid(
            "The TIFF holds signed, floating-point or 32-bit numbers, whose grey scale is unknown; save the slice as "
            "8 or 16 bit grey, or send the DICOM file."
        )
    if bits not in {1, 2, 4, 8, 16}:
        raise ColorModeUnsupported(f"TIFF samples of {bits} bits are not read; save it with 8 or 16.")


def _assemble(data: bytes, directory: Directory, geometry: _Geometry) -> Samples:
    """Unpacks all blocks and lays them out as (H, W, C)."""
    across = -(-geometry.width // geometry.block_width)
    down = -(-geometry.height // geometry.block_height)
    planes = geometry.channels if geometry.is_planar else 1
    if len(directory.blocks) != across * down * planes:
        raise ImageCorrupt("The TIFF has more or fewer strips or tiles than its size needs.")
    per_plane = across * down
    laid_out = []
    for plane in range(planes):
        blocks = directory.blocks[plane * per_plane : (plane + 1) * per_plane]
        rows = per_plane * geometry.block_height if directory.is_tiled else geometry.height
        packed = _unpack(data, blocks, geometry, rows)
        samples = _samples(packed, directory.order, geometry)
        if directory.is_tiled:
            tiles = samples.reshape(down, across, geometry.block_height, geometry.block_width, -1)
            samples = tiles.swapaxes(1, 2).reshape(down * geometry.block_height, across * geometry.block_width, -1)
        laid_out.append(samples[: geometry.height, : geometry.width])
    return laid_out[0].copy() if planes == 1 else np.concatenate(laid_out, axis=-1)


def _unpack(
    data: bytes, blocks: tuple[tuple[int, int], ...], geometry: _Geometry, rows: int
) -> NDArray[np.uint8]:  # (rows, row_bytes)
    expected = rows * geometry.row_bytes
    view = memoryview(data)
    if geometry.compression == _RAW:
        joined = b"".join(view[offset : offset + length] for offset, length in blocks)
        if len(joined) < expected:
            raise ImageTruncated("The TIFF has fewer rows than its header says.")
        if len(joined) > expected:
            raise ImageCorrupt("The TIFF has more rows than its header says.")
        return np.frombuffer(joined, np.uint8).reshape(rows, geometry.row_bytes)
    if sum(length for _, length in blocks) * _PACKED[geometry.compression] < expected:
        raise ImageTruncated("The TIFF declares more rows than its data can hold.")
    # The packed bytes become an 8-bit grey TIFF as wide as a row has bytes: libtiff then only unpacks.
    carrier = _carrier([bytes(view[offset : offset + length]) for offset, length in blocks], geometry, rows)
    try:
        with Image.open(io.BytesIO(carrier), formats=["TIFF"]) as picture:
            return np.asarray(picture, np.uint8)
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        raise ImageTruncated("The TIFF's compressed data is damaged or cut short.") from error


def _carrier(blocks: list[bytes], geometry: _Geometry, rows: int) -> bytes:
    offsets, at = [], 8
    for block in blocks:
        offsets.append(at)
        at += len(block)
    at += at % 2
    count = len(blocks)
    lengths_at = at if count > 1 else len(blocks[0])
    offsets_at = at + 4 * count if count > 1 else offsets[0]
    tables = struct.pack(f"<{2 * count}I", *map(len, blocks), *offsets) if count > 1 else b""
    entries = (
        (tags.WIDTH, 1, geometry.row_bytes), (tags.HEIGHT, 1, rows), (tags.BITS, 1, 8),
        (tags.COMPRESSION, 1, geometry.compression), (tags.PHOTOMETRIC, 1, _BLACK_IS_ZERO),
        (tags.STRIP_OFFSETS, count, offsets_at), (tags.SAMPLES, 1, 1),
        (tags.ROWS_PER_STRIP, 1, geometry.block_height), (tags.STRIP_BYTES, count, lengths_at),
    )  # fmt: skip
    directory = b"".join(struct.pack("<HHII", tag, 4, number, value) for tag, number, value in entries)
    head = b"II*\x00" + struct.pack("<I", at + len(tables))
    body = b"".join(blocks)
    return b"".join(
        [head, body, b"\x00" * (len(body) % 2), tables, struct.pack("<H", len(entries)), directory, b"\x00" * 4]
    )


def _samples(packed: NDArray[np.uint8], order: str, geometry: _Geometry) -> Samples:  # (rows, W, C)
    bits, width = geometry.bits, geometry.block_width
    if bits < 8:
        unpacked = np.unpackbits(packed, axis=1).reshape(len(packed), -1, bits)
        weights = (1 << np.arange(bits - 1, -1, -1)).astype(np.uint8)
        small: Samples = (unpacked * weights).sum(axis=2, dtype=np.uint8)[:, :width, np.newaxis]
        return small
    values: Samples = packed if bits == 8 else np.ascontiguousarray(packed).view(order + "u2").astype(np.uint16)
    values = values.reshape(len(packed), width, geometry.block_channels)
    if geometry.predictor == 2 and geometry.compression != _RAW:
        values = np.cumsum(values, axis=1, dtype=values.dtype)
    return values


def _through_palette(samples: Samples, directory: Directory, geometry: _Geometry) -> Samples:
    table = np.array(directory.values.get(tags.COLOR_MAP, ()), np.uint16)
    if geometry.bits > 8 or geometry.channels != 1 or table.size != 3 << geometry.bits:
        raise ImageCorrupt("The TIFF's palette does not fit its pixels.")
    colors = (table.reshape(3, -1).T // 257 if table.max() > 255 else table.reshape(3, -1).T).astype(np.uint8)
    return np.ascontiguousarray(colors[samples[..., 0]])


def _channels(samples: Samples, directory: Directory, geometry: _Geometry) -> tuple[Samples, Layout, bool]:
    colors = 3 if geometry.photometric == _RGB else 1
    extra = geometry.channels - colors
    kinds = directory.values.get(tags.EXTRA_SAMPLES, ())
    if extra == 0:
        return (samples, "RGB", False) if colors == 3 else (samples[..., 0], "L", False)
    if extra != 1 or len(kinds) > 1:
        raise ColorModeUnsupported(f"The TIFF has {geometry.channels} channels; save it as grey or RGB.")
    if kinds and kinds[0] in {_ASSOCIATED, _UNASSOCIATED}:
        return samples, "RGBA" if colors == 3 else "LA", kinds[0] == _ASSOCIATED
    # An extra channel without a meaning (TIFF 6.0, p. 31) is not shown.
    return np.ascontiguousarray(samples[..., :colors]), "RGB" if colors == 3 else "L", False
