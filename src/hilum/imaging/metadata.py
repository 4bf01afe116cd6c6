"""Reads the two things metadata may change: EXIF orientation and an ICC profile's soundness. Keeps nothing else."""

from __future__ import annotations

import struct

_ORIENTATION = 274
_SHORT = 3


def exif_orientation(exif: bytes) -> int:
    """Reads the Orientation tag (CIPA DC-008, 4.6.5) of an EXIF block's first directory.

    Args:
        exif: the block, with or without its `Exif\\0\\0` prefix.

    Returns:
        1 to 8; 1 where the tag is absent or the block malformed.
    """
    block = exif.removeprefix(b"Exif\x00\x00")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return 1
    (start,) = struct.unpack_from(order + "I", block, 4)
    if start + 2 > len(block):
        return 1
    (count,) = struct.unpack_from(order + "H", block, start)
    for index in range(count):
        at = start + 2 + 12 * index
        if at + 12 > len(block):
            return 1
        tag, kind, values, value = struct.unpack_from(order + "HHIH", block, at)
        if tag == _ORIENTATION:
            return value if kind == _SHORT and values == 1 and 1 <= value <= 8 else 1
    return 1


def orientation_exif(orientation: int) -> bytes:
    """An EXIF block, without prefix, that says an orientation (1 to 8) and nothing else."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, _ORIENTATION, _SHORT, 1, orientation, 0, 0)


def icc_warnings(profile: bytes | None) -> tuple[str, ...]:
    """Checks the header of an ICC profile (ICC.1:2022, 7.2); a sound one is ignored in silence, as documented.

    Returns:
        `("icc-profile-corrupt",)` for a profile whose size or signature is wrong, else nothing.
    """
    if profile is None:
        return ()
    is_sound = len(profile) >= 132 and profile[36:40] == b"acsp" and int.from_bytes(profile[:4]) <= len(profile)
    return () if is_sound else ("icc-profile-corrupt",)
