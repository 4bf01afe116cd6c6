"""Files in which an identifier stands everywhere a format has room for text: H57."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable

import cv2
from PIL import Image, PngImagePlugin, TiffImagePlugin

import dicom_files as dcm
import raster_files as img

CANARY = "DOE^JANE-19610704"
"""In no other place: whoever finds it has found an identifier that got through."""

_TEXT = CANARY.encode()


def _sequence() -> bytes:
    """An item that names the patient, and one inside it that does so again."""
    inner = dcm.element(0x00100010, "PN", CANARY)
    nested = dcm.element(0x00081115, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner)
    body = dcm.element(0x00081155, "UI", "1.2.3") + nested
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body


def canary_dicom(changes: dict[int, dcm.Value | None] | None = None, **others: object) -> bytes:
    """A slice whose header names the patient in every kind of element."""
    planted: dict[int, dcm.Value | None] = {
        0x00080050: ("SH", CANARY[:16]),
        0x00080080: ("LO", CANARY),
        0x00080090: ("PN", CANARY),
        0x00081030: ("LO", CANARY),
        0x00081140: ("SQ", _sequence()),
        0x00090010: ("LO", CANARY),
        0x00091001: ("UN", _TEXT),
        0x00100010: ("PN", CANARY),
        0x00100020: ("LO", CANARY),
        0x00104000: ("LT", CANARY * 20),
        0x00200010: ("SH", CANARY[:16]),
        0x00204000: ("LT", CANARY),
        0x00324000: ("LT", CANARY),
        0x60000022: ("LO", CANARY),
        0x60003000: ("OW", _TEXT * 100),
    }
    return dcm.dicom(planted | (changes or {}), **others)  # type: ignore[arg-type]


def _saved(kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = CANARY
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[0x001D] = CANARY
    Image.fromarray(img.PICTURE).save(out, kind, **{"exif": exif, **options})
    return out.getvalue()


def canary_png() -> bytes:
    """Text, compressed text, international text, EXIF with GPS, and a chunk nobody knows."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Patient", CANARY)
    info.add_text("Zipped", CANARY * 9, zip=True)
    info.add_itxt("Patient name", CANARY)
    info.add(b"prVt", _TEXT)
    return _saved("PNG", pnginfo=info, icc_profile=_TEXT)


def canary_jpeg() -> bytes:
    """EXIF, a comment, XMP, Photoshop's segment, and a JFIF extension."""
    plain = _saved("JPEG", quality=90)
    planted = b"".join(
        b"\xff" + bytes([marker]) + (len(body) + 2).to_bytes(2) + body
        for marker, body in (
            (0xFE, _TEXT), (0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + _TEXT), (0xED, b"Photoshop 3.0\x00" + _TEXT),
            (0xE0, b"JFXX\x00" + _TEXT), (0xEE, b"Adobe\x00\x64\x00\x00\x00\x00\x01" + _TEXT), (0xEB, _TEXT),
        )
    )  # fmt: skip
    return plain[:2] + planted + plain[2:]


def canary_tiff() -> bytes:
    """Names, description, artist, host, copyright; XMP, IPTC, Photoshop's block, an EXIF comment; a private tag."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag in (269, 270, 285, 315, 316, 33432, 65000):
        tags[tag] = CANARY
        tags.tagtype[tag] = 2
    for tag in (700, 33723, 34377, 37510):
        tags[tag] = _TEXT
        tags.tagtype[tag] = 7
    return _saved("TIFF", tiffinfo=tags, exif=b"")


def canary_bmp() -> bytes:
    """Between the header and the pixels."""
    plain = cv2.imencode(".bmp", img.PICTURE)[1].tobytes()
    (start,) = struct.unpack_from("<I", plain, 10)
    moved = struct.pack("<I", start + len(_TEXT))
    return plain[:10] + moved + plain[14:start] + _TEXT + plain[start:]


def canary_webp() -> bytes:
    """EXIF and XMP."""
    return _saved("WEBP", lossless=True, xmp=_TEXT)


def canary_zip(folder: str = CANARY) -> bytes:
    """Names, comments and extra fields of a zip, the slices in it, and a file that is none."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.comment = _TEXT
        for name, make in {**CANARY_FILES, "notes.txt": lambda: _TEXT}.items():
            entry = zipfile.ZipInfo(f"{folder}/{CANARY}-{name}")
            entry.comment, entry.extra = _TEXT, struct.pack("<HH", 0x7075, len(_TEXT)) + _TEXT
            archive.writestr(entry, make())
    return out.getvalue()


CANARY_FILES: dict[str, Callable[[], bytes]] = {
    "a.dcm": canary_dicom,
    "rle.dcm": lambda: canary_dicom(syntax=dcm.RLE, encapsulated=dcm.encoded(dcm.RLE)),
    "a.png": canary_png,
    "a.jpg": canary_jpeg,
    "a.tif": canary_tiff,
    "a.bmp": canary_bmp,
    "a.webp": canary_webp,
}
