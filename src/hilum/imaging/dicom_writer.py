"""Writes DICOM elements and files, Explicit VR Little Endian (PS3.5, PS3.10). Knows no attribute's meaning."""

from __future__ import annotations

import struct
from collections.abc import Iterable

_EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"


def part_10(sop_class: str, elements: Iterable[bytes]) -> bytes:
    """A Part 10 file with a blank preamble.

    Args:
        sop_class: UID of what the file holds.
        elements: written ones, in ascending order of their tags.
    """
    meta = element(0x00020001, "OB", b"\x00\x01") + element(0x00020002, "UI", sop_class)
    meta += element(0x00020010, "UI", _EXPLICIT_LITTLE)
    return b"".join((bytes(128), b"DICM", element(0x00020000, "UL", len(meta)), meta, *elements))


def element(tag: int, vr: str, value: str | int | bytes) -> bytes:
    """One element: numbers as US or UL, text as latin-1, padded to an even length."""
    if isinstance(value, int):
        value = struct.pack("<I" if vr == "UL" else "<H", value)
    elif isinstance(value, str):
        value = value.encode("latin-1")
        value += (b"\x00" if vr == "UI" else b" ") * (len(value) % 2)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    if vr in {"OB", "OW"}:
        return head + bytes(2) + struct.pack("<I", len(value)) + value
    return head + struct.pack("<H", len(value)) + value
