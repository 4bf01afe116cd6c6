"""WebP, strictly: the RIFF container is walked before libwebp sees it. Knows RFC 9649 only."""

from __future__ import annotations

import struct

import cv2
import numpy as np

from hilum.errors import ImageCorrupt, ImageMultiFrame, ImageTruncated, TrailingData
from hilum.imaging.limits import Limits, check_size
from hilum.imaging.metadata import exif_orientation, icc_warnings, orientation_exif
from hilum.imaging.raster import Raster

_MAX_CHUNKS = 100


def read_webp(data: bytes, limits: Limits) -> Raster:
    """Reads a still WebP, lossy or lossless.

    Raises:
        InputRejected: damaged, cut short, animated, outside the caps, or followed by other data.
    """
    chunks = _read_chunks(data)
    width, height = _size(chunks)
    check_size(width, height, limits, bytes_per_pixel=8)  # libwebp holds ARGB beside the output
    profile, exif = chunks.get(b"ICCP"), chunks.get(b"EXIF", b"")
    samples = cv2.imdecode(np.frombuffer(_pixels_only(chunks), np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.shape[:2] != (height, width):
        raise ImageCorrupt("The WebP's compressed data is damaged.")
    has_alpha = samples.ndim == 3 and samples.shape[2] == 4
    return Raster(
        samples,
        "BGRA" if has_alpha else "BGR",
        "RGBA" if has_alpha else "RGB",
        exif_orientation(exif),
        icc_warnings(profile),
    )


def pixels_of_webp(data: bytes) -> bytes:
    """Copies an accepted WebP's chunks that carry pixels, and its orientation; no profile, XMP or other EXIF."""
    chunks = _read_chunks(data)
    orientation = exif_orientation(chunks.get(b"EXIF", b""))
    return _pixels_only(chunks, orientation_exif(orientation) if orientation != 1 else None)


def _read_chunks(data: bytes) -> dict[bytes, bytes]:
    end = int.from_bytes(data[4:8], "little") + 8
    if end > len(data):
        raise ImageTruncated("The WebP is shorter than its header says.")
    if end < len(data):
        raise TrailingData(f"{len(data) - end} bytes follow the end of the WebP.", actual=len(data) - end)
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at < end and len(chunks) < _MAX_CHUNKS:
        if at + 8 > end:
            raise ImageCorrupt("The WebP has stray bytes after its last chunk.")
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > end:
            raise ImageTruncated("The WebP ends inside a chunk.")
        if kind in {b"ANIM", b"ANMF"}:
            raise ImageMultiFrame("The WebP is animated; send a single slice.")
        if kind in chunks:
            raise ImageCorrupt("The WebP repeats a chunk.")
        chunks[kind] = data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    return chunks


def _size(chunks: dict[bytes, bytes]) -> tuple[int, int]:
    lossy, lossless = chunks.get(b"VP8 "), chunks.get(b"VP8L")
    extended = chunks.get(b"VP8X")
    if extended and extended[0] & 0x02:
        raise ImageMultiFrame("The WebP is animated; send a single slice.")
    if lossy is not None and len(lossy) >= 10 and lossy[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", lossy, 6)
        width, height = width & 0x3FFF, height & 0x3FFF
    elif lossless is not None and len(lossless) >= 5 and lossless[0] == 0x2F:
        (packed,) = struct.unpack_from("<I", lossless, 1)
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    else:
        raise ImageCorrupt("The WebP has no image in it.")
    if extended is not None:
        canvas = (
            (int.from_bytes(extended[4:7], "little") + 1, int.from_bytes(extended[7:10], "little") + 1)
            if len(extended) >= 10
            else None
        )
        if canvas != (width, height):
            raise ImageCorrupt("The WebP's canvas and image disagree about its size.")
    return width, height


def _pixels_only(chunks: dict[bytes, bytes], exif: bytes | None = None) -> bytes:
    """Builds the file anew from the chunks that carry pixels, and an EXIF block where one is given."""
    kept: dict[bytes, bytes] = {kind: chunks[kind] for kind in (b"VP8X", b"ALPH", b"VP8 ", b"VP8L") if kind in chunks}
    if b"VP8X" in kept:
        # Of the feature flags only alpha still holds.
        kept[b"VP8X"] = bytes([kept[b"VP8X"][0] & 0x10, 0, 0, 0]) + kept[b"VP8X"][4:10]
    if exif is not None:
        kept[b"EXIF"] = exif
    body = b"WEBP" + b"".join(
        kind + len(chunk).to_bytes(4, "little") + chunk + b"\x00" * (len(chunk) % 2) for kind, chunk in kept.items()
    )
    return b"RIFF" + len(body).to_bytes(4, "little") + body
