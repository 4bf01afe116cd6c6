"""Writes DICOM files element by element, valid and not."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.pixels import encoders

from raster_files import PICTURE

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED, MPEG4, PRIVATE_GE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.102", "1.2.840.113619.5.2"
RLE, JPEG_LOSSLESS = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.70"
JPEG_LS, J2K = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
DIRECTORY = "1.2.840.10008.1.3.10"
CR, SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.7"
PRIVATE_PHILIPS = "1.3.46.670589.33.1.4.1"

SLICE_HU = (PICTURE.astype(np.int16) * 5) - 1000
"""The slice in Hounsfield units, -1000 to 275."""

_LONG = {"OB", "OW", "SQ", "UN"}
_PIXEL_DATA = 0x7FE00010

Value = tuple[str, str | int | bytes]


def element(tag: int, vr: str, value: str | int | bytes, *, syntax: str = EXPLICIT, length: int | None = None) -> bytes:
    order = ">" if syntax == BIG else "<"
    if isinstance(value, int):
        raw = struct.pack(order + {"US": "H", "SS": "h", "UL": "I"}[vr], value)
    else:
        raw = value.encode("latin-1") if isinstance(value, str) else value
    raw += (b"\x00" if vr in {"UI", "OB", "OW"} else b" ") * (len(raw) % 2)
    size = len(raw) if length is None else length
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if syntax == IMPLICIT:
        return head + struct.pack("<I", size) + raw
    if vr in _LONG:
        return head + vr.encode() + bytes(2) + struct.pack(order + "I", size) + raw
    return head + vr.encode() + struct.pack(order + "H", size) + raw


def file_meta(syntax: str, storage: str = CT) -> bytes:
    body = (
        element(0x00020001, "OB", b"\x00\x01") + element(0x00020002, "UI", storage) + element(0x00020010, "UI", syntax)
    )
    return element(0x00020000, "UL", len(body)) + body


def words(values: NDArray[np.generic], syntax: str = EXPLICIT) -> bytes:
    return values.astype(np.int64).astype(">u2" if syntax == BIG else "<u2").tobytes()


def dicom(
    changes: dict[int, Value | None] | None = None,
    *,
    syntax: str = EXPLICIT,
    pixels: bytes | None = None,
    encapsulated: bytes | None = None,
    preamble: bytes = bytes(128),
    tail: bytes = b"",
    body: bytes | None = None,
    storage: str = CT,
) -> bytes:
    """A CT slice of `SLICE_HU` stored unsigned with intercept -1000; `changes` replaces or removes elements."""
    elements: dict[int, Value | None] = {
        0x00080008: ("CS", "ORIGINAL\\PRIMARY\\AXIAL"),
        0x00080016: ("UI", CT),
        0x00080060: ("CS", "CT"),
        0x00200037: ("DS", "1\\0\\0\\0\\1\\0"),
        0x00280002: ("US", 1),
        0x00280004: ("CS", "MONOCHROME2"),
        0x00280010: ("US", 128),
        0x00280011: ("US", 128),
        0x00280100: ("US", 16),
        0x00280101: ("US", 12),
        0x00280102: ("US", 11),
        0x00280103: ("US", 0),
        0x00281050: ("DS", "40"),
        0x00281051: ("DS", "400"),
        0x00281052: ("DS", "-1000"),
        0x00281053: ("DS", "1"),
        _PIXEL_DATA: ("OW", words(SLICE_HU + 1000, syntax) if pixels is None else pixels),
    }
    elements.update(changes or {})
    if encapsulated is not None:
        elements[_PIXEL_DATA] = None
    written = b"".join(
        element(tag, *value, syntax=syntax) for tag, value in sorted(elements.items()) if value is not None
    )
    if encapsulated is not None:
        written += element(_PIXEL_DATA, "OB", b"", length=0xFFFFFFFF) + encapsulated
        written += struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return preamble + b"DICM" + file_meta(syntax, storage) + (written if body is None else body) + tail


def encoded(syntax: str) -> bytes:
    """The slice compressed as `syntax`, as encapsulated fragments."""
    return encapsulate([frame(syntax)])


def frame(syntax: str) -> bytes:
    """The slice compressed as `syntax`."""
    encoder = {
        RLE: encoders.RLELosslessEncoder,
        JPEG_LS: encoders.JPEGLSLosslessEncoder,
        J2K: encoders.JPEG2000LosslessEncoder,
    }[syntax]
    return encoder.encode(
        (SLICE_HU + 1000).astype(np.uint16).tobytes(),
        index=0,
        rows=128,
        columns=128,
        samples_per_pixel=1,
        photometric_interpretation="MONOCHROME2",
        bits_allocated=16,
        bits_stored=12,
        pixel_representation=0,
        number_of_frames=1,
    )


def fragment(any_bytes: bytes) -> bytes:
    """One frame of any bytes, encapsulated."""
    return encapsulate([any_bytes])


def garbled(syntax: str) -> bytes:
    """The same with its second half overwritten."""
    data = encoded(syntax)
    middle = len(data) // 2
    tail = len(data) - 8 - middle
    return data[:middle] + (bytes(range(256)) * (tail // 256 + 1))[:tail] + data[-8:]


def nested(depth: int) -> bytes:
    """Sequences of undefined length inside each other."""
    level = element(0x00081140, "SQ", b"", length=0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    return level * depth


def many(count: int) -> bytes:
    """So many empty elements, in order."""
    return b"".join(struct.pack("<HH2sH", 0x0009 + 2 * (at >> 16), at & 0xFFFF, b"LO", 0) for at in range(count))


def record(path: str) -> bytes:
    """An item of a DICOMDIR that refers to a file."""
    body = element(0x00041500, "CS", path)
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body
