"""Tells a file's format by its first bytes, and what its name promises. Trusts no extension and decodes nothing."""

from __future__ import annotations

from typing import Literal

from hilum.errors import UnsupportedMediaType

FileFormat = Literal["png", "jpeg", "tiff", "bmp", "webp", "dicom"]

_BY_EXTENSION = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jfif": "jpeg",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".bmp": "bmp",
    ".dib": "bmp",
    ".webp": "webp",
    ".dcm": "dicom",
    ".dicom": "dicom",
    ".gif": "gif",
    ".pdf": "pdf",
    ".svg": "svg",
    ".html": "html",
}

_REFUSED = (
    (b"GIF8", "a GIF"),
    (b"%PDF", "a PDF"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"8BPS", "a Photoshop file"),
    (b"SIMPLE  =", "a FITS file"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"\x00\x00\x00\x0cjP", "a JPEG 2000 file"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 codestream"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"<", "HTML, SVG or XML"),
)


HEAD_BYTES = 132
"""So many first bytes of a file tell its format."""


def recognise(data: bytes) -> FileFormat:
    """Names the format of the bytes, of which the first `HEAD_BYTES` are enough.

    Raises:
        UnsupportedMediaType: they begin like none of the six formats.
    """
    if data[128:132] == b"DICM":
        return "dicom"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")):
        return "tiff"
    if data.startswith(b"BM"):
        return "bmp"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    looks_like = next((f" It looks like {what}." for magic, what in _REFUSED if data.startswith(magic)), "")
    raise UnsupportedMediaType(
        f"The file is no PNG, JPEG, TIFF, BMP, WebP or DICOM Part 10 file.{looks_like} Export it as one of these."
    )


def is_extension_mismatch(name: str | None, file_format: FileFormat) -> bool:
    """Tells whether the name has a well-known extension of another format; `.5` or none promises nothing."""
    if not name or "." not in name:
        return False
    extension = "." + name.rsplit(".", 1)[1].strip().lower()
    return _BY_EXTENSION.get(extension, file_format) != file_format
