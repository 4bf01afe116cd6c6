"""JPEG, strictly: its markers are walked before anything is decoded. Knows ITU-T T.81 baseline and progressive only."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import simplejpeg  # type: ignore[import-untyped]

from hilum.errors import (
    ColorModeUnsupported,
    DecodeTimeout,
    ImageCorrupt,
    ImageTruncated,
    TrailingData,
    UnsupportedMediaType,
)
from hilum.imaging.limits import Limits, check_size
from hilum.imaging.metadata import exif_orientation, icc_warnings, orientation_exif
from hilum.imaging.raster import Raster

_MAX_SEGMENTS = 2_000
_MAX_SCANS = 100
_MAX_SCANNED_PIXELS = 500_000_000
"""Scans times pixels: about two seconds of libjpeg-turbo; encoders write at most a dozen scans."""

_SOI, _EOI, _SOS, _EXIF = 0xD8, 0xD9, 0xDA, 0xE1
_EXIF_START = b"Exif\x00\x00"
_PIXEL_SEGMENTS = {0xC0, 0xC1, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD}
_BARE_JFIF = b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_READ_FRAMES = {0xC0, 0xC1, 0xC2}
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = {0x01, *range(0xD0, 0xD8)}
_FILL = re.compile(rb"\xff+")
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


@dataclass
class _Markers:
    frame: int = 0
    precision: int = 0
    width: int = 0
    height: int = 0
    components: int = 0
    scans: int = 0
    orientation: int = 1
    profile: bytes | None = None


def read_jpeg(data: bytes, limits: Limits) -> Raster:
    """Reads a JPEG.

    Raises:
        InputRejected: damaged, cut short, of a kind not read, outside the caps, or followed by other data.
    """
    markers = _walk(data, limits)
    colorspace = "GRAY" if markers.components == 1 else "BGR"
    try:
        samples = simplejpeg.decode_jpeg(data, colorspace, strict=True)
    except ValueError as error:
        raise ImageCorrupt("The JPEG's compressed data is damaged.") from error
    if samples.shape[:2] != (markers.height, markers.width):
        raise ImageCorrupt("The JPEG's header and data disagree about its size.")
    warnings = icc_warnings(markers.profile)
    if markers.components == 1:
        return Raster(np.ascontiguousarray(samples[..., 0]), "L", "L", markers.orientation, warnings)
    return Raster(samples, "BGR", "RGB", markers.orientation, warnings)


def pixels_of_jpeg(data: bytes) -> bytes:
    """Copies an accepted JPEG's segments that carry pixels, and what says how to see them; no comment, no other EXIF.

    Of JFIF and Adobe segments only what chooses the colour transform is kept (libjpeg, `default_decompress_parms`).
    """
    parts = [data[:2]]
    orientation = 1
    for marker, body, scan in _iter_segments(data):
        if marker == _EXIF and body.startswith(_EXIF_START):
            orientation = exif_orientation(body)
        elif marker == 0xE0 and body.startswith(b"JFIF\x00"):
            parts.append(_segment(marker, _BARE_JFIF))
        elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            parts.append(_segment(marker, b"Adobe\x00\x64\x00\x00\x00\x00" + body[11:12]))
        elif marker in _PIXEL_SEGMENTS:
            parts += [_segment(marker, body), scan]
    if orientation != 1:
        parts.insert(1, _segment(_EXIF, _EXIF_START + orientation_exif(orientation)))
    return b"".join([*parts, b"\xff\xd9"])


def frame_size(codestream: bytes) -> tuple[int, int, int, int, int]:
    """Finds the frame header of any JPEG or JPEG-LS codestream.

    Returns:
        The SOF marker, precision, height, width and components.

    Raises:
        ImageCorrupt: there is none before the first scan.
    """
    at = 2
    for _ in range(_MAX_SEGMENTS):
        if at + 4 > len(codestream) or codestream[at] != 0xFF:
            break
        marker = codestream[at + 1]
        (length,) = struct.unpack_from(">H", codestream, at + 2)
        if (marker in _FRAMES or marker == 0xF7) and at + 10 <= len(codestream):
            precision, height, width, components = struct.unpack_from(">BHHB", codestream, at + 4)
            return marker, precision, height, width, components
        if marker == _SOS or length < 2:
            break
        at += 2 + length
    raise ImageCorrupt("The JPEG codestream has no frame header.")


def _segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + (len(body) + 2).to_bytes(2) + body


def _walk(data: bytes, limits: Limits) -> _Markers:
    markers = _Markers()
    for marker, body, _ in _iter_segments(data):
        _read_segment(marker, body, markers, limits)
    if not markers.frame or not markers.scans:
        raise ImageCorrupt("The JPEG has no image in it.")
    return markers


def _iter_segments(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Each segment's marker and body, and after a start of scan its entropy-coded bytes, to the end of the image."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        at, marker = _next_marker(data, at)
        if marker == _EOI:
            if at != len(data):
                raise TrailingData(f"{len(data) - at} bytes follow the end of the JPEG.", actual=len(data) - at)
            return
        if marker == _SOI or marker in _BARE:
            raise ImageCorrupt("A JPEG marker stands where it must not.")
        length = int.from_bytes(data[at : at + 2])
        if at + max(length, 2) > len(data):
            raise ImageTruncated("The JPEG ends inside a segment.")
        if length < 2:
            raise ImageCorrupt("A JPEG segment has an impossible length.")
        body = data[at + 2 : at + length]
        at += length
        if marker != _SOS:
            yield marker, body, b""
            continue
        found = _NEXT_MARKER.search(data, at)
        if found is None:
            raise ImageTruncated("The JPEG ends inside its image data.")
        yield marker, body, data[at : found.start()]
        at = found.start()
    raise ImageCorrupt("The JPEG has too many segments.", limit=_MAX_SEGMENTS)


def _next_marker(data: bytes, at: int) -> tuple[int, int]:
    if at < len(data) and data[at] != 0xFF:
        raise ImageCorrupt("The JPEG has stray bytes between its segments.")
    at = fill.end() if (fill := _FILL.match(data, at)) else at
    if at >= len(data):
        raise ImageTruncated("The JPEG ends before its end marker.")
    return at + 1, data[at]


def _read_segment(marker: int, body: bytes, markers: _Markers, limits: Limits) -> None:
    if marker in _FRAMES:
        _read_frame(marker, body, markers, limits)
    elif marker == _SOS:
        _count_scan(markers)
    elif marker == _EXIF and body.startswith(_EXIF_START):
        markers.orientation = exif_orientation(body)
    elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\x00"):
        markers.profile = (markers.profile or b"") + body[14:]


def _read_frame(marker: int, body: bytes, markers: _Markers, limits: Limits) -> None:
    if markers.frame or len(body) < 6:
        raise ImageCorrupt("The JPEG has a malformed or a second frame header.")
    markers.frame = marker
    markers.precision, markers.height, markers.width, markers.components = struct.unpack_from(">BHHB", body)
    if marker not in _READ_FRAMES or markers.precision != 8:
        raise UnsupportedMediaType(
            "Only 8-bit baseline and progressive JPEG are read; this one is arithmetic-coded, lossless, hierarchical "
            f"or of {markers.precision} bits. Save it as PNG."
        )
    # A progressive frame keeps 16-bit coefficients of the whole image beside the samples.
    check_size(markers.width, markers.height, limits, bytes_per_pixel=markers.components * (3 if marker == 0xC2 else 1))
    if markers.components not in {1, 3}:
        raise ColorModeUnsupported(
            f"The JPEG has {markers.components} components (CMYK or YCCK); save it as grey or RGB."
        )


def _count_scan(markers: _Markers) -> None:
    if not markers.frame:
        raise ImageCorrupt("The JPEG has a scan before its frame header.")
    markers.scans += 1
    scanned = markers.scans * markers.width * markers.height
    if markers.scans > _MAX_SCANS or (markers.scans > 3 and scanned > _MAX_SCANNED_PIXELS):
        raise DecodeTimeout("The JPEG has too many scans to decode in time.", limit=_MAX_SCANS)
