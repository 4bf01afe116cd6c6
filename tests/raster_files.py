"""Writes image files bit by bit, valid and not: what no library would write for us."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hilum.imaging.phantoms import draw_phantom

PICTURE = draw_phantom(3, side=128)
"""The one slice that every accepted case shows in some disguise."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def colored(grey: NDArray[np.uint8] = PICTURE) -> NDArray[np.uint8]:
    """A photograph-like picture whose channels differ."""
    return np.dstack([grey, 255 - grey, np.roll(grey, 31, axis=1)])


def chunk(kind: bytes, body: bytes, *, crc: int | None = None) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + (zlib.crc32(kind + body) if crc is None else crc).to_bytes(4)


def ihdr(width: int, height: int, depth: int = 8, color: int = 0, *, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace))


def scanlines(samples: NDArray[np.generic], depth: int) -> bytes:
    """Rows with filter 0, big endian, packed below 8 bits."""
    rows = samples.reshape(samples.shape[0], -1)
    if depth == 16:
        packed = rows.astype(">u2").view(np.uint8).reshape(rows.shape[0], -1)
    elif depth < 8:
        bits = np.unpackbits(rows.astype(np.uint8)[..., np.newaxis], axis=2)[..., 8 - depth :]
        packed = np.packbits(bits.reshape(rows.shape[0], -1), axis=1)
    else:
        packed = rows.astype(np.uint8)
    return np.insert(packed, 0, 0, axis=1).tobytes()


def png(
    samples: NDArray[np.generic] = PICTURE,
    *,
    depth: int = 8,
    color: int = 0,
    is_interlaced: bool = False,
    before: bytes = b"",
    idat_crc: int | None = None,
) -> bytes:
    """A PNG of the samples, with other chunks before the image data."""
    if is_interlaced:
        raw = b"".join(scanlines(samples[y::dy, x::dx], depth) for x, y, dx, dy in _ADAM7 if samples[y::dy, x::dx].size)
    else:
        raw = scanlines(samples, depth)
    height, width = samples.shape[:2]
    return (
        PNG_SIGNATURE
        + ihdr(width, height, depth, color, interlace=int(is_interlaced))
        + before
        + chunk(b"IDAT", zlib.compress(raw), crc=idat_crc)
        + chunk(b"IEND", b"")
    )


def deflated_zeros(count: int) -> bytes:
    """A zlib stream of `count` zeros, made without compressing them: equal blocks, and Adler-32 by its formula."""
    block = 1 << 20
    encoder = zlib.compressobj(9, zlib.DEFLATED, -15)
    repeated = encoder.compress(bytes(block)) + encoder.flush(zlib.Z_FULL_FLUSH)
    tail = zlib.compressobj(9, zlib.DEFLATED, -15)
    last = tail.compress(bytes(count % block)) + tail.flush()
    adler = (count % 65521) << 16 | 1
    return b"\x78\xda" + repeated * (count // block) + last + adler.to_bytes(4)


def png_bomb(width: int, height: int, *, depth: int = 8, color: int = 0, rows: int | None = None) -> bytes:
    """A black PNG, whole unless `rows` says how many rows are really there."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[color]
    row = 1 + width * channels * depth // 8
    body = deflated_zeros(row * (height if rows is None else rows))
    return PNG_SIGNATURE + ihdr(width, height, depth, color) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def apng(frames: int) -> bytes:
    still = png()
    at = still.index(b"IDAT") - 4
    control = struct.pack(">IIIIIHHBB", 0, 128, 128, 0, 0, 1, 10, 0, 0)
    return still[:at] + chunk(b"acTL", struct.pack(">II", frames, 0)) + chunk(b"fcTL", control) + still[at:]


def saved(kind: str, pixels: NDArray[np.uint8] = PICTURE, mode: str | None = None, **options: object) -> bytes:
    """What Pillow writes."""
    picture = Image.fromarray(pixels)
    buffer = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(buffer, kind, **options)
    return buffer.getvalue()


def animated(kind: str, frames: int) -> bytes:
    pictures = [Image.fromarray(np.roll(PICTURE, 5 * index, axis=1)) for index in range(frames)]
    buffer = io.BytesIO()
    pictures[0].save(buffer, kind, save_all=True, append_images=pictures[1:])
    return buffer.getvalue()


def jpeg(pixels: NDArray[np.uint8] = PICTURE, *, quality: int = 100) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def with_segment(data: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with one more segment after its start."""
    return data[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + data[2:]


def with_frame_byte(data: bytes, offset: int, value: int) -> bytes:
    """A JPEG whose frame header is changed; offset 1 is the marker, 4 the precision."""
    at = data.index(b"\xff\xc0")
    return data[: at + offset] + bytes([value]) + data[at + offset + 1 :]


def many_scans(count: int) -> bytes:
    """A progressive JPEG that refines itself again and again."""
    data = saved("JPEG", progressive=True, quality=30)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + b"\xff\xd9"


def exif(orientation: int, *, extra: bytes = b"", order: str = "<") -> bytes:
    entry = struct.pack(order + "HHIHH", 274, 3, 1, orientation, 0)
    head = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(order + "I", 8)
    return head + struct.pack(order + "H", 1) + entry + bytes(4) + extra


def stored_for(orientation: int, pixels: NDArray[np.uint8] = PICTURE) -> NDArray[np.uint8]:
    """What a camera held that way would store, so that the orientation makes it `pixels` again."""
    undo = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.T,
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).T,
        8: lambda a: np.rot90(a, -1),
    }
    return np.ascontiguousarray(undo[orientation](pixels))


def webp(pixels: NDArray[np.uint8] = PICTURE, **options: object) -> bytes:
    return saved("WEBP", pixels, "RGB", lossless=True, **options)


def webp_header_only(width: int, height: int) -> bytes:
    body = b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little") + bytes(5)
    payload = b"WEBPVP8L" + len(body).to_bytes(4, "little") + body
    return b"RIFF" + len(payload).to_bytes(4, "little") + payload


def bmp(
    pixels: NDArray[np.uint8] = PICTURE, *, height: int | None = None, compression: int = 0, body: bytes | None = None
) -> bytes:
    """A palette BMP; the height in its header may be another."""
    rows, columns = pixels.shape
    palette = b"".join(bytes([v, v, v, 0]) for v in range(256))
    raw = np.pad(pixels[::-1], ((0, 0), (0, -columns % 4))).tobytes() if body is None else body
    start = 14 + 40 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, columns, height or rows, 1, 8, compression, len(raw), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(raw), 0, 0, start) + header + palette + raw


def bmp_masked(rgba: NDArray[np.uint8]) -> bytes:
    """A 32-bit BMP with a V4 header, whose alpha counts."""
    rows, columns = rgba.shape[:2]
    raw = np.ascontiguousarray(rgba[::-1]).tobytes()
    masks = struct.pack("<IIII", 0xFF, 0xFF00, 0xFF0000, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 108, columns, rows, 1, 32, 3, len(raw), 0, 0, 0, 0) + masks + bytes(52)
    return b"BM" + struct.pack("<IHHI", 14 + 108 + len(raw), 0, 0, 122) + header + raw


def tiff(
    blocks: Sequence[bytes] | None = None,
    *,
    order: str = "<",
    is_big: bool = False,
    following: int | None = 0,
    changes: dict[int, Sequence[int] | None] | None = None,
) -> bytes:
    """A TIFF of strips or tiles; `changes` replaces or, with None, removes tags; `following` None loops."""
    blocks = [PICTURE.tobytes()] if blocks is None else blocks
    at, offsets = 16, []
    for block in blocks:
        offsets.append(at)
        at += len(block)
    tags: dict[int, Sequence[int] | None] = {
        256: [128], 257: [128], 258: [8], 259: [1], 262: [1], 273: offsets, 277: [1], 278: [128],
        279: [len(block) for block in blocks], 284: [1],
    }  # fmt: skip
    tags.update(changes or {})
    entries = sorted((tag, values) for tag, values in tags.items() if values is not None)
    start = at + at % 2
    word, field = ("Q", 8) if is_big else ("I", 4)
    head, entry = ("Q", "HHQ") if is_big else ("H", "HHI")
    fixed = struct.calcsize(order + head) + len(entries) * (struct.calcsize(order + entry) + field) + field
    directory, tail = struct.pack(order + head, len(entries)), b""
    for tag, values in entries:
        packed = struct.pack(f"{order}{len(values)}I", *values)
        directory += struct.pack(order + entry, tag, 4, len(values))
        if len(packed) <= field:
            directory += packed.ljust(field, b"\x00")
        else:
            directory += struct.pack(order + word, start + fixed + len(tail))
            tail += packed
    directory += struct.pack(order + word, start if following is None else following)
    magic = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if is_big else 42)
    header = magic + (struct.pack(order + "HHQ", 8, 0, start) if is_big else struct.pack(order + "I", start) + bytes(8))
    return header + b"".join(blocks) + bytes(at % 2) + directory + tail
