"""PNG, strictly: every chunk's CRC, no unknown critical chunk, every row present. Knows PNG (ISO/IEC 15948) only."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import deflate
import numpy as np

from hilum.errors import ImageCorrupt, ImageMultiFrame, ImageTruncated, TrailingData
from hilum.imaging.limits import Limits, check_size
from hilum.imaging.metadata import exif_orientation, icc_warnings, orientation_exif
from hilum.imaging.raster import Layout, Raster, Samples
from hilum.imaging.scanlines import inflated, one_channel, stored

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_CHUNKS = 20_000
_MAX_TEXT_BYTES = 4_000_000
_DEFLATE_MAX_RATIO = 1032
"""Deflate expands at most 1032-fold (zlib, algorithm notes): less data than that cannot hold the declared rows."""

_INFLATED_AT_ONCE = 16_000_000
"""Of filtered rows in bytes, about 2000 x 2000 in RGBA: larger ones libpng inflates row by row, in less memory."""

_PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_LAYOUTS: dict[int, Layout] = {0: "L", 2: "BGR", 3: "L", 4: "LA", 6: "BGRA"}
_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@dataclass
class _Header:
    width: int
    height: int
    depth: int
    color: int
    is_interlaced: bool

    def raw_bytes(self) -> int:
        """Length of the filtered scanlines once inflated, filter bytes included."""
        bits = self.depth * _CHANNELS[self.color]
        if not self.is_interlaced:
            return self.height * (1 + (self.width * bits + 7) // 8)
        total = 0
        for x, y, dx, dy in _ADAM7:
            columns, rows = -(-(self.width - x) // dx), -(-(self.height - y) // dy)
            if columns > 0 and rows > 0:
                total += rows * (1 + (columns * bits + 7) // 8)
        return total


@dataclass
class _Chunks:
    header: _Header
    palette: bytes | None = None
    transparency: bytes | None = None
    idat: list[memoryview] = field(default_factory=list)
    orientation: int = 1
    warnings: tuple[str, ...] = ()


def read_png(data: bytes, limits: Limits) -> Raster:
    """Reads a PNG.

    Only the chunks that carry pixels reach the decoder, in a file built anew; text, profiles and EXIF never do.

    Raises:
        InputRejected: damaged, cut short, animated, outside the caps, or followed by other data.
    """
    chunks = _read_chunks(data, limits)
    header = chunks.header
    samples = _decode_samples(chunks)
    layout = _LAYOUTS[header.color]
    if header.color in {2, 6} and samples.ndim == 2:
        layout = "L"
    elif header.color == 3:
        samples, layout = _through_palette(samples, chunks)
    elif header.color == 4:
        samples = np.ascontiguousarray(samples[..., 2:])  # cv2 returns GGGA
    elif chunks.transparency is not None:
        samples, layout = _with_color_key(samples, chunks)
    mode = _MODES[header.color] + (f";{header.depth}" if header.depth != 8 else "")
    return Raster(samples, layout, mode, chunks.orientation, chunks.warnings)


def pixels_of_png(data: bytes) -> bytes:
    """Copies an accepted PNG's chunks that carry pixels, and its orientation; no text, time, profile or other EXIF."""
    parts: list[bytes | memoryview] = [_SIGNATURE]
    orientation = 1
    for kind, body in _iter_chunks(data):
        if kind == b"eXIf":
            orientation = exif_orientation(bytes(body))
        elif kind == b"IEND" and orientation != 1:
            parts += [*_chunk(b"eXIf", orientation_exif(orientation)), *_chunk(kind, b"")]
        elif kind in _PIXEL_CHUNKS:
            parts += _chunk(kind, body)
    return b"".join(parts)


def _iter_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view = memoryview(data)
    at = len(_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if at + 12 > len(data):
            # A signature with nothing behind it was never an image; anything longer was cut.
            if at == len(_SIGNATURE):
                raise ImageCorrupt("The PNG has a signature and no header.")
            raise ImageTruncated("The PNG ends before its last chunk.")
        length, kind = struct.unpack_from(">I4s", data, at)
        if length > 0x7FFFFFFF or not kind.isalpha() or not kind.isascii():
            raise ImageCorrupt("A PNG chunk has an impossible length or type.")
        end = at + 12 + length
        if end > len(data):
            raise ImageTruncated("The PNG ends inside a chunk.")
        if deflate.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            raise ImageCorrupt(f"The checksum of a PNG {kind.decode()} chunk is wrong.")
        if kind == b"IEND" and (behind := length + len(data) - end):
            raise TrailingData(f"{behind} bytes stand in or behind the end of the PNG.", actual=behind)
        yield kind, view[at + 8 : end - 4]
        at = end
        if kind == b"IEND":
            return
    raise ImageCorrupt("The PNG has too many chunks.", limit=_MAX_CHUNKS)


def _read_chunks(data: bytes, limits: Limits) -> _Chunks:
    iterator = _iter_chunks(data)
    kind, body = next(iterator)
    if kind != b"IHDR" or len(body) != 13:
        raise ImageCorrupt("The PNG does not begin with a header chunk.")
    chunks = _Chunks(_read_header(body, limits))
    previous = kind
    for kind, body in iterator:
        if kind == b"IDAT":
            if chunks.idat and previous != b"IDAT":
                raise ImageCorrupt("The PNG's image data is interrupted by another chunk.")
            chunks.idat.append(body)
        elif kind == b"PLTE":
            chunks.palette = _read_palette(body, chunks)
        elif kind in {b"acTL", b"fcTL", b"fdAT"}:
            raise ImageMultiFrame("The PNG is animated; send a single slice.")
        elif kind[:1].isupper() and kind != b"IEND":
            raise ImageCorrupt("The PNG has an unknown critical chunk.")
        else:
            _read_ancillary(kind, bytes(body), chunks)
        previous = kind
    if not chunks.idat:
        raise ImageCorrupt("The PNG has no image data.")
    return chunks


def _read_header(body: memoryview, limits: Limits) -> _Header:
    width, height, depth, color, method, filtering, interlace = struct.unpack(">IIBBBBB", body)
    if depth not in _DEPTHS.get(color, ()) or method or filtering or interlace > 1 or not width or not height:
        raise ImageCorrupt("The PNG header is impossible.")
    channels = 4 if color == 4 else _CHANNELS[color]
    check_size(width, height, limits, bytes_per_pixel=channels * (2 if depth == 16 else 1))
    return _Header(width, height, depth, color, interlace == 1)


def _read_palette(body: memoryview, chunks: _Chunks) -> bytes:
    is_misplaced = chunks.palette is not None or bool(chunks.idat) or chunks.header.color in {0, 4}
    if is_misplaced or len(body) % 3 or not 3 <= len(body) <= 768:
        raise ImageCorrupt("The PNG's palette is malformed or misplaced.")
    return bytes(body)


def _read_ancillary(kind: bytes, body: bytes, chunks: _Chunks) -> None:
    if kind == b"tRNS":
        if chunks.transparency is not None or chunks.idat:
            raise ImageCorrupt("The PNG's tRNS chunk is repeated or misplaced.")
        chunks.transparency = body
    elif kind == b"eXIf":
        chunks.orientation = exif_orientation(body)
    elif kind == b"iCCP":
        name, _, packed = body.partition(b"\x00")
        profile = _inflate_text(packed[1:])
        chunks.warnings += icc_warnings(profile if name else b"")
    elif kind == b"zTXt":
        _inflate_text(body.partition(b"\x00")[2][1:])
    elif kind == b"iTXt":
        flag, text = body.partition(b"\x00")[2][:1], body.partition(b"\x00")[2][2:].split(b"\x00", 2)
        if flag == b"\x01" and len(text) == 3:
            _inflate_text(text[2])


def _inflate_text(packed: bytes) -> bytes:
    """Inflates a text or profile chunk, at most to the cap; a damaged one gives what could be read."""
    try:
        text = zlib.decompressobj().decompress(packed, _MAX_TEXT_BYTES + 1)
    except zlib.error:
        return b""
    if len(text) > _MAX_TEXT_BYTES:
        raise ImageCorrupt("A PNG text or profile chunk expands beyond its limit.", limit=_MAX_TEXT_BYTES)
    return text


def _decode_samples(chunks: _Chunks) -> Samples:
    """Samples as cv2 gives them; (H, W) also of a colour picture whose pixels are all grey and opaque."""
    header = chunks.header
    expected = header.raw_bytes()
    if sum(map(len, chunks.idat)) * _DEFLATE_MAX_RATIO < expected:
        raise ImageTruncated("The PNG declares more rows than its data can hold.")
    rows = inflated(chunks.idat, expected) if expected <= _INFLATED_AT_ONCE else None
    # A palette's indices are read as grey, so that the look-up is ours.
    color = 0 if header.color == 3 else header.color
    idat: list[bytes] | list[memoryview] = chunks.idat
    if rows is not None:
        grey = one_channel(rows, header.width, header.height, _CHANNELS[color]) if _may_be_grey(chunks) else None
        color = color if grey is None else 0
        idat = [stored(rows if grey is None else grey)]
    samples: Samples | None = cv2.imdecode(np.frombuffer(_rebuilt(header, color, idat), np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None:
        raise _why_undecodable(chunks.idat, expected)
    if rows is None and expected <= _INFLATED_AT_ONCE:  # libpng only warns
        raise TrailingData("The PNG holds more image data than its header says.")
    return samples


def _may_be_grey(chunks: _Chunks) -> bool:
    header = chunks.header
    return header.color in {2, 6} and header.depth == 8 and not header.is_interlaced and chunks.transparency is None


def _rebuilt(header: _Header, color: int, idat: Sequence[bytes] | Sequence[memoryview]) -> bytes:
    ihdr = struct.pack(
        ">IIBBBBB", header.width, header.height, header.depth, color, 0, 0, 1 if header.is_interlaced else 0
    )
    parts = [_SIGNATURE, *_chunk(b"IHDR", ihdr)]
    for body in idat:
        parts += _chunk(b"IDAT", body)
    return b"".join([*parts, *_chunk(b"IEND", b"")])


def _chunk(kind: bytes, body: bytes | memoryview) -> tuple[bytes, bytes | memoryview, bytes]:
    head = struct.pack(">I4s", len(body), kind)
    return head, body, deflate.crc32(body, deflate.crc32(kind)).to_bytes(4)


def _why_undecodable(idat: list[memoryview], expected: int) -> ImageCorrupt | ImageTruncated:
    inflater = zlib.decompressobj()
    produced = 0
    try:
        for body in idat:
            rest: bytes | memoryview = body
            while len(rest) and produced < expected:
                produced += len(inflater.decompress(rest, 1 << 20))
                rest = inflater.unconsumed_tail
    except zlib.error:
        return ImageCorrupt("The PNG's compressed data is damaged.")
    if produced < expected:
        return ImageTruncated("The PNG declares more rows than it holds.")
    return ImageCorrupt("The PNG's image data is damaged.")


def _through_palette(samples: Samples, chunks: _Chunks) -> tuple[Samples, Layout]:
    if chunks.palette is None:
        raise ImageCorrupt("The PNG is indexed and has no palette.")
    table = np.frombuffer(chunks.palette, np.uint8).reshape(-1, 3)
    # cv2 stretches 1, 2 and 4 bit values to 0..255.
    indices = samples // (255 // ((1 << chunks.header.depth) - 1))
    if indices.max() >= len(table):
        raise ImageCorrupt("A PNG pixel points past the end of the palette.")
    if chunks.transparency is None:
        return table[indices], "RGB"
    alpha = np.full(len(table), 255, np.uint8)
    stored = np.frombuffer(chunks.transparency, np.uint8)
    if stored.size > alpha.size:
        raise ImageCorrupt("The PNG's tRNS chunk is longer than its palette.")
    alpha[: stored.size] = stored
    return np.column_stack([table, alpha])[indices], "RGBA"


def _with_color_key(samples: Samples, chunks: _Chunks) -> tuple[Samples, Layout]:
    header, key = chunks.header, chunks.transparency or b""
    channels = _CHANNELS[header.color]
    if header.color not in {0, 2} or len(key) != 2 * channels:
        raise ImageCorrupt("The PNG's tRNS chunk does not fit its colour type.")
    scale = 255 // ((1 << header.depth) - 1) if header.depth < 8 else 1
    wanted = np.frombuffer(key, ">u2").astype(np.int64)[::-1] * scale  # cv2's channels are BGR
    planes = samples.reshape(*samples.shape[:2], channels)
    opaque = np.any(planes != wanted, axis=-1, keepdims=True)
    alpha = opaque.astype(samples.dtype) * np.iinfo(samples.dtype).max
    return np.concatenate([planes, alpha.astype(samples.dtype)], axis=-1), "LA" if channels == 1 else "BGRA"
