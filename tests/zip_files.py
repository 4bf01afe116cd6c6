"""Zips made in memory, byte by byte where need be."""

from __future__ import annotations

import io
import zipfile


def pack(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    """A zip of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, method)
        archive.comment = comment
    return buffer.getvalue()


def patch(data: bytes, signature: bytes, offset: int, value: bytes, *, last: bool = False) -> bytes:
    """Overwrites a field of the first (or last) record with this signature."""
    at = (data.rfind if last else data.find)(signature) + offset
    return data[:at] + value + data[at + len(value) :]
