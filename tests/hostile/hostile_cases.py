"""The table of hostile inputs H01 to H29 and H45 to H56, and what each gets. Every case is made by code."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import dicom_files as dcm
import numpy as np
import raster_files as img
from PIL import ImageCms
from raster_files import PICTURE


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        id: its row in the catalogue.
        name: which of the row's inputs.
        make: returns the bytes.
        filename: what the sender calls them.
        status: 200, or the HTTP status of the refusal.
        code: of the refusal; None where the input is accepted.
        twin: bytes whose pixels an accepted input must equal.
        tolerance: of that comparison, on the 0..255 scale.
        warnings: codes an accepted input must carry.
        is_bomb: it would take much memory or time if it were decoded.
    """

    id: str
    name: str
    make: Callable[[], bytes]
    filename: str
    status: int = 200
    code: str | None = None
    twin: Callable[[], bytes] | None = None
    tolerance: float = 0.0
    warnings: tuple[str, ...] = ()
    is_bomb: bool = False

    def __str__(self) -> str:
        return f"{self.id}-{self.name}"


_STATUS = {
    "image-too-large": 413,
    "unsupported-media-type": 415,
    "dicom-transfer-syntax": 415,
}


def _refused(
    row: str, name: str, make: Callable[[], bytes], filename: str, code: str, *, is_bomb: bool = False
) -> Case:
    return Case(row, name, make, filename, _STATUS.get(code, 422), code, is_bomb=is_bomb)


def _equal(
    row: str,
    name: str,
    make: Callable[[], bytes],
    filename: str,
    twin: Callable[[], bytes] = img.png,
    *,
    tolerance: float = 0.0,
    warnings: tuple[str, ...] = (),
) -> Case:
    return Case(row, name, make, filename, twin=twin, tolerance=tolerance, warnings=warnings)


def _cut(make: Callable[[], bytes], percent: int) -> Callable[[], bytes]:
    def cut() -> bytes:
        data = make()
        return data[: len(data) * percent // 100]

    return cut


def _truncated() -> tuple[Case, ...]:
    whole = {
        "slice.png": img.png,
        "slice.jpg": img.jpeg,
        "slice.tif": img.tiff,
        "slice.bmp": img.bmp,
        "slice.webp": img.webp,
        "slice.dcm": dcm.dicom,
    }
    return tuple(
        _refused("H03", f"{filename[6:]}-{percent}", _cut(make, percent), filename, "image-truncated")
        for filename, make in whole.items()
        for percent in (30, 60, 95)
    )


def _text_bomb(kind: bytes, head: bytes) -> Callable[[], bytes]:
    return lambda: img.png(before=img.chunk(kind, head + img.deflated_zeros(200_000_000)))


def _bombs() -> tuple[Case, ...]:
    def bomb(row: str, name: str, make: Callable[[], bytes], code: str = "image-too-large") -> Case:
        return _refused(row, name, make, "slice.png", code, is_bomb=True)

    return (
        bomb("H05", "4000-rows-declared-10-present", lambda: img.png_bomb(4000, 4000, rows=10), "image-truncated"),
        bomb("H05", "half-the-rows", lambda: img.png_bomb(4000, 4000, rows=2000), "image-truncated"),
        bomb("H06", "60k-header", lambda: img.png_bomb(60_000, 60_000, rows=1)),
        bomb("H07", "50k-real", lambda: img.png_bomb(50_000, 50_000)),
        bomb("H08", "13300", lambda: img.png_bomb(13_300, 13_300)),
        bomb("H09", "9400-rgba16", lambda: img.png_bomb(9400, 9400, depth=16, color=6)),
        bomb("H09", "4900-rgba16", lambda: img.png_bomb(4900, 4900, depth=16, color=6)),
        bomb("H10", "ztxt", _text_bomb(b"zTXt", b"Comment\x00\x00"), "image-corrupt"),
        bomb("H10", "itxt", _text_bomb(b"iTXt", b"Comment\x00\x01\x00\x00\x00"), "image-corrupt"),
        bomb("H10", "iccp", _text_bomb(b"iCCP", b"profile\x00\x00"), "image-corrupt"),
    )


def _structure() -> tuple[Case, ...]:
    return (
        _refused("H01", "empty", lambda: b"", "slice.png", "empty-file"),
        _refused("H02", "png-signature", lambda: img.PNG_SIGNATURE, "slice.png", "image-corrupt"),
        _refused("H04", "idat-crc", lambda: img.png(idat_crc=1), "slice.png", "image-corrupt"),
        _refused("H04", "adler", _with_wrong_adler, "slice.png", "image-corrupt"),
        _refused("H11", "1x1", lambda: img.png(PICTURE[:1, :1]), "slice.png", "image-too-small"),
        _refused("H11", "1x8192", lambda: img.png_bomb(1, 8192), "slice.png", "image-too-small"),
        _refused("H11", "8192x1", lambda: img.png_bomb(8192, 1), "slice.png", "image-too-small"),
        _refused("H11", "8192x16", lambda: img.png_bomb(8192, 16), "slice.png", "image-bad-aspect"),
        _refused("H11", "16x128", lambda: img.png(PICTURE[:16]), "slice.png", "image-bad-aspect"),
        _refused("H12", "apng", lambda: img.apng(20), "slice.png", "image-multi-frame"),
        _refused("H12", "gif", lambda: img.animated("GIF", 5), "slice.gif", "unsupported-media-type"),
        _refused("H12", "webp", lambda: img.animated("WEBP", 5), "slice.webp", "image-multi-frame"),
        _refused("H13", "201-pages", lambda: img.animated("TIFF", 201), "slice.tif", "image-multi-frame"),
    )


def _with_wrong_adler() -> bytes:
    stream = zlib.compress(img.scanlines(PICTURE, 8))
    return (
        img.PNG_SIGNATURE + img.ihdr(128, 128) + img.chunk(b"IDAT", stream[:-4] + b"\x01\x02\x03\x04")
        + img.chunk(b"IEND", b"")
    )  # fmt: skip


def _tiff_numbers(dtype: str, sample_format: int) -> Callable[[], bytes]:
    def make() -> bytes:
        values = PICTURE.astype(dtype)
        if dtype == "<f4":
            values[0, :4] = [np.nan, np.inf, -np.inf, 1e30]
        bits = values.dtype.itemsize * 8
        return img.tiff([values.tobytes()], changes={258: [bits], 339: [sample_format]})

    return make


def _tiffs() -> tuple[Case, ...]:
    def corrupt(name: str, make: Callable[[], bytes]) -> Case:
        return _refused("H14", name, make, "slice.tif", "image-corrupt")

    def invalid(name: str, dtype: str, sample_format: int) -> Case:
        return _refused("H15", name, _tiff_numbers(dtype, sample_format), "slice.tif", "pixel-values-invalid")

    tile = {322: [1 << 20], 323: [1 << 20], 324: [16], 325: [128 * 128], 273: None, 278: None, 279: None}
    return (
        corrupt("ifd-loop", lambda: img.tiff(following=None)),
        corrupt("samples-65535", lambda: img.tiff(changes={277: [65535]})),
        corrupt("tile-size", lambda: img.tiff(changes=tile)),
        corrupt("tile-size-17", lambda: img.tiff(changes=tile | {322: [17], 323: [17]})),
        corrupt("strip-count", lambda: img.tiff(changes={278: [1]})),
        corrupt("bigtiff-offset", lambda: b"II+\x00\x08\x00\x00\x00" + struct.pack("<Q", 1 << 60) + bytes(64)),
        corrupt("bigtiff-strip", lambda: img.tiff(is_big=True, changes={273: [0xFFFFFFF0]})),
        _equal("H14", "bigtiff-sound", lambda: img.tiff(is_big=True), "slice.tif"),
        invalid("float32-nan", "<f4", 3),
        invalid("int16", "<i2", 2),
        invalid("int32", "<i4", 2),
        invalid("uint32", "<u4", 1),
        _refused("H16", "cmyk-tiff", lambda: img.saved("TIFF", mode="CMYK"), "slice.tif", "color-mode-unsupported"),
        _equal("H17", "tiff-16", lambda: _tiff16("<"), "slice.tif"),
        _equal("H17", "tiff-16-big-endian", lambda: _tiff16(">"), "slice.tif"),
    )


def _tiff16(order: str) -> bytes:
    values = (PICTURE.astype(np.uint16) * 257).astype(order + "u2")
    return img.tiff([values.tobytes()], order=order, changes={258: [16]})


def _dimmed(alpha: int) -> bytes:
    return img.png(np.rint(PICTURE * (alpha / 255)).astype(np.uint8))


def _rgba(alpha: int) -> np.ndarray:
    return np.dstack([PICTURE] * 3 + [np.full_like(PICTURE, alpha)])


def _depths() -> tuple[Case, ...]:
    def few(levels: int) -> np.ndarray:
        return (PICTURE.astype(np.uint16) * levels >> 8).astype(np.uint8)

    def stretched(levels: int) -> bytes:
        return img.png((few(levels) * (255 // (levels - 1))).astype(np.uint8))

    palette = bytes(v for level in range(256) for v in (255 - level,) * 3)
    key = img.chunk(b"tRNS", struct.pack(">H", int(PICTURE[64, 64])))
    sixteen = PICTURE.astype(np.uint16) * 257
    cases = [
        _equal("H17", "png-16", lambda: img.png(sixteen, depth=16), "slice.png", tolerance=1e-3),
        _equal("H17", "png-16-rgba", lambda: img.png(_rgba(255).astype(np.uint16) * 257, depth=16, color=6),
               "slice.png", tolerance=1e-3),
        _equal("H18", "rgba-opaque", lambda: img.png(_rgba(255), color=6), "slice.png"),
        _equal("H18", "rgba-transparent-white",
               lambda: img.png(np.dstack([np.full_like(_rgba(0)[..., :3], 255), PICTURE]), color=6), "slice.png"),
        _equal("H18", "rgba-half", lambda: img.png(_rgba(128), color=6), "slice.png", lambda: _dimmed(128),
               tolerance=1),
        _equal("H18", "la", lambda: img.png(np.dstack([np.full_like(PICTURE, 255), PICTURE]), color=4), "slice.png"),
        _equal("H18", "bmp-alpha",
               lambda: img.bmp_masked(np.dstack([np.full_like(_rgba(0)[..., :3], 255), PICTURE])), "slice.bmp"),
        _equal("H19", "palette", lambda: img.png(255 - PICTURE, color=3, before=img.chunk(b"PLTE", palette)),
               "slice.png"),
        _equal("H19", "palette-trns",
               lambda: img.png(PICTURE, color=3, before=img.chunk(b"PLTE", b"\xff" * 768)
                               + img.chunk(b"tRNS", bytes(range(256)))), "slice.png"),
        _equal("H19", "colour-key", lambda: img.png(before=key), "slice.png",
               lambda: img.png(np.where(PICTURE[64, 64] == PICTURE, 0, PICTURE).astype(np.uint8))),
        _equal("H19", "adam7", lambda: img.png(is_interlaced=True), "slice.png"),
        _equal("H19", "adam7-rgba", lambda: img.png(_rgba(255), color=6, is_interlaced=True), "slice.png"),
        _equal("H19", "adam7-16", lambda: img.png(sixteen, depth=16, is_interlaced=True), "slice.png",
               tolerance=1e-3),
        _equal("H19", "adam7-1-bit", lambda: img.png(few(2), depth=1, is_interlaced=True), "slice.png",
               lambda: stretched(2)),
        _refused("H19", "palette-index", lambda: img.png(color=3, before=img.chunk(b"PLTE", palette[:9])),
                 "slice.png", "image-corrupt"),
    ]  # fmt: skip
    for depth in (1, 2, 4):
        levels = 1 << depth
        table = img.chunk(b"PLTE", bytes(v for i in range(levels) for v in (i * (255 // (levels - 1)),) * 3))

        def grey(depth: int = depth, levels: int = levels) -> bytes:
            return img.png(few(levels), depth=depth)

        def indexed(depth: int = depth, levels: int = levels, table: bytes = table) -> bytes:
            return img.png(few(levels), depth=depth, color=3, before=table)

        def plain(levels: int = levels) -> bytes:
            return stretched(levels)

        cases.append(_equal("H19", f"grey-{depth}-bit", grey, "slice.png", plain))
        cases.append(_equal("H19", f"palette-{depth}-bit", indexed, "slice.png", plain))
    return tuple(cases)


def _orientations() -> tuple[Case, ...]:
    cases = []
    for value in range(1, 9):

        def as_png(value: int = value) -> bytes:
            return img.png(img.stored_for(value), before=img.chunk(b"eXIf", img.exif(value, order=">")))

        def as_jpeg(value: int = value) -> bytes:
            return img.with_segment(img.jpeg(img.stored_for(value)), 0xE1, b"Exif\x00\x00" + img.exif(value))

        def as_webp(value: int = value) -> bytes:
            return img.webp(img.stored_for(value), exif=b"Exif\x00\x00" + img.exif(value))

        def as_tiff(value: int = value) -> bytes:
            return img.tiff([img.stored_for(value).tobytes()], changes={274: [value]})

        cases += [
            _equal("H20", f"png-{value}", as_png, "slice.png"),
            _equal("H20", f"jpeg-{value}", as_jpeg, "slice.jpg", tolerance=3),
            _equal("H20", f"webp-{value}", as_webp, "slice.webp"),
            _equal("H20", f"tiff-{value}", as_tiff, "slice.tif"),
        ]
    return tuple(cases)


def _icc() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _metadata() -> tuple[Case, ...]:
    def jpeg_exif(body: bytes) -> Callable[[], bytes]:
        return lambda: img.with_segment(img.jpeg(), 0xE1, b"Exif\x00\x00" + body)

    def png_icc(profile: bytes) -> bytes:
        return img.png(before=img.chunk(b"iCCP", b"odd\x00\x00" + profile))

    gps = b"II*\x00\x08\x00\x00\x00" + struct.pack("<HHHIII", 1, 34853, 4, 1, 26, 0) + b"GPS 52.5 N 13.4 E"
    return (
        _equal("H21", "exif-64k", jpeg_exif(img.exif(1, extra=b"A" * 65_000)), "slice.jpg", img.jpeg),
        _equal("H21", "exif-malformed", jpeg_exif(b"II*\x00\xff\xff\xff\xff junk"), "slice.jpg", img.jpeg),
        _equal("H21", "exif-loop", jpeg_exif(b"II*\x00\x08\x00\x00\x00\xff\xff"), "slice.jpg", img.jpeg),
        _equal("H21", "exif-gps", jpeg_exif(gps), "slice.jpg", img.jpeg),
        _equal("H22", "icc-sound", lambda: png_icc(zlib.compress(_icc())), "slice.png"),
        _equal("H22", "icc-corrupt", lambda: png_icc(b"\x00garbage"), "slice.png", warnings=("icc-profile-corrupt",)),
        _equal("H22", "icc-jpeg", lambda: img.with_segment(img.jpeg(), 0xE2, b"ICC_PROFILE\x00\x01\x01" + b"no" * 80),
               "slice.jpg", img.jpeg, warnings=("icc-profile-corrupt",)),
        _equal("H23", "png-named-jpg", img.png, "slice.jpg", warnings=("extension-mismatch",)),
        _equal("H23", "jpeg-named-png", img.jpeg, "slice.PNG", img.jpeg, warnings=("extension-mismatch",)),
    )  # fmt: skip


_XXE = (
    b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b'<svg xmlns="http://www.w3.org/2000/svg"><text>&x;</text></svg>'
)


def _others() -> tuple[Case, ...]:
    foreign = {
        "html": b"<!doctype html><script>alert(1)</script>",
        "js": b"fetch('/predict')",
        "svg-xxe": _XXE,
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file",
        "pdf": b"%PDF-1.7\n",
        "psd": b"8BPS\x00\x01" + bytes(20),
        "fits": b"SIMPLE  =                    T" + b" " * 2850,
        "ico": b"\x00\x00\x01\x00\x01\x00" + bytes(30),
        "avif": b"\x00\x00\x00\x20ftypavif" + bytes(40),
        "jp2": b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(40),
        "zip": b"PK\x03\x04" + bytes(40),
    }
    rows = {"html": "H24", "js": "H24", "svg-xxe": "H24"}
    named_png = tuple(
        _refused(rows.get(name, "H25"), name, lambda body=body: body, "slice.png", "unsupported-media-type")
        for name, body in foreign.items()
    )
    tail = b"PK\x03\x04<script>alert(1)</script>"
    makers = {"png": img.png, "jpg": img.jpeg, "webp": img.webp, "bmp": img.bmp, "tif": img.tiff, "dcm": dcm.dicom}
    tailed = tuple(
        _refused("H26", f"tail-{ext}", lambda make=make: make() + tail, f"slice.{ext}", "trailing-data")
        for ext, make in makers.items()
    )
    return named_png + tailed


def _jpegs() -> tuple[Case, ...]:
    def photo(mode: str) -> Callable[[], bytes]:
        return lambda: img.saved("JPEG", img.colored(), mode, quality=90)

    return (
        _refused("H16", "cmyk-jpeg", photo("CMYK"), "slice.jpg", "color-mode-unsupported"),
        _refused("H16", "ycck-jpeg", _ycck, "slice.jpg", "color-mode-unsupported"),
        _refused("H27", "10k-scans", lambda: img.many_scans(10_000), "slice.jpg", "decode-timeout", is_bomb=True),
        _refused("H27", "65500x1", lambda: img.jpeg(np.zeros((1, 65_500), np.uint8)), "slice.jpg", "image-too-small"),
        _refused("H27", "arithmetic", lambda: img.with_frame_byte(img.jpeg(), 1, 0xC9), "slice.jpg",
                 "unsupported-media-type"),
        _refused("H27", "12-bit", lambda: img.with_frame_byte(img.jpeg(), 4, 12), "slice.jpg",
                 "unsupported-media-type"),
        _refused("H28", "bmp-negative-height", lambda: img.bmp(height=-128), "slice.bmp", "image-corrupt"),
        _refused("H28", "bmp-minimum-height", lambda: img.bmp(height=-(1 << 31)), "slice.bmp", "image-too-large"),
        _refused("H28", "bmp-rle", lambda: img.bmp(compression=1, body=b"\xff\x00" * 100 + b"\x00\x01"), "slice.bmp",
                 "color-mode-unsupported"),
        _refused("H28", "webp-16383", lambda: img.webp_header_only(16383, 16383), "slice.webp", "image-too-large",
                 is_bomb=True),
        Case("H29", "black", lambda: img.png(np.zeros_like(PICTURE)), "slice.png"),
        Case("H29", "white", lambda: img.png(np.full_like(PICTURE, 255)), "slice.png"),
        Case("H29", "noise", lambda: img.png(_noise()), "slice.png"),
        Case("H29", "colour-photo-jpeg", photo("RGB"), "cat.jpg", warnings=("color-image",)),
        Case("H29", "colour-photo-png", lambda: img.png(img.colored(), color=2), "cat.png", warnings=("color-image",)),
    )  # fmt: skip


def _ycck() -> bytes:
    """CMYK whose Adobe segment says YCCK (transform 2)."""
    data = img.saved("JPEG", img.colored(), "CMYK")
    at = data.index(b"Adobe")
    return data[: at + 11] + b"\x02" + data[at + 12 :]


def _noise() -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, PICTURE.shape, np.uint8)


def _dicom_structure() -> tuple[Case, ...]:
    def refused(row: str, name: str, code: str, make: Callable[[], bytes], *, is_bomb: bool = False) -> Case:
        return _refused(row, name, make, "slice.dcm", code, is_bomb=is_bomb)

    script = b"<script>alert(1)</script>".ljust(128, b"\x00")
    return (
        refused("H45", "preamble-only", "dicom-corrupt", lambda: bytes(128) + b"DICM"),
        refused("H45", "junk", "dicom-corrupt", lambda: bytes(128) + b"DICM" + b"junk" * 100),
        refused("H45", "script-preamble", "dicom-corrupt", lambda: dcm.dicom(preamble=script)),
        refused("H45", "exe-preamble", "dicom-corrupt", lambda: dcm.dicom(preamble=b"MZ".ljust(128, b"\x90"))),
        refused("H45", "nested", "dicom-corrupt", lambda: dcm.dicom(body=dcm.nested(20_000)), is_bomb=True),
        refused("H45", "length-lie", "dicom-corrupt",
                lambda: dcm.dicom(body=dcm.element(0x00080005, "UN", b"x", length=0xFFFFFFF0))),
        refused("H46", "no-preamble", "unsupported-media-type", lambda: dcm.dicom(syntax=dcm.IMPLICIT)[132:]),
        refused("H46", "raw-data-set", "unsupported-media-type",
                lambda: dcm.element(0x00080060, "CS", "CT", syntax=dcm.IMPLICIT) * 40),
        refused("H47", "mpeg4", "dicom-transfer-syntax", lambda: dcm.dicom(syntax=dcm.MPEG4)),
        refused("H47", "private-ge", "dicom-transfer-syntax", lambda: dcm.dicom(syntax=dcm.PRIVATE_GE)),
        refused("H47", "garbage-j2k", "dicom-decode-failed",
                lambda: dcm.dicom(syntax=dcm.J2K, encapsulated=dcm.fragment(b"\xff\x4f\xff\x51garbage"))),
        refused("H47", "garbage-jpeg-ls", "dicom-decode-failed",
                lambda: dcm.dicom(syntax=dcm.JPEG_LS, encapsulated=dcm.garbled(dcm.JPEG_LS))),
        refused("H47", "garbage-jpeg", "dicom-decode-failed",
                lambda: dcm.dicom(syntax=dcm.JPEG_LOSSLESS, encapsulated=dcm.fragment(b"\xff\xd8garbage"))),
        refused("H47", "garbage-rle", "dicom-decode-failed",
                lambda: dcm.dicom(syntax=dcm.RLE, encapsulated=dcm.fragment(bytes(range(256)) * 4))),
        refused("H47", "rle-bomb", "dicom-decode-failed",
                lambda: dcm.dicom(syntax=dcm.RLE, encapsulated=dcm.fragment(_rle_bomb())), is_bomb=True),
        refused("H47", "j2k-60k", "dicom-inconsistent",
                lambda: dcm.dicom(syntax=dcm.J2K, encapsulated=dcm.fragment(_j2k_header(60_000))), is_bomb=True),
        refused("H48", "deflated", "dicom-transfer-syntax",
                lambda: dcm.dicom(syntax=dcm.DEFLATED, body=img.deflated_zeros(400_000_000)[2:-4]), is_bomb=True),
    )  # fmt: skip


def _rle_bomb() -> bytes:
    body = b"\x81\x00" * 16_000
    return struct.pack("<3I", 2, 64, 64 + len(body)).ljust(64, b"\x00") + body + body


def _j2k_header(side: int) -> bytes:
    size = struct.pack(">HH8IHBBB", 41, 0, side, side, 0, 0, side, side, 0, 0, 1, 15, 1, 1)
    return b"\xff\x4f\xff\x51" + size + bytes(100)


def _dicom_attributes() -> tuple[Case, ...]:
    rows, columns, frames, photometric, samples = 0x00280010, 0x00280011, 0x00280008, 0x00280004, 0x00280002
    allocated, high, slope, intercept = 0x00280100, 0x00280102, 0x00281053, 0x00281052
    pixel_data = 0x7FE00010

    def refused(row: str, name: str, code: str, changes: dict[int, dcm.Value | None]) -> Case:
        return _refused(row, name, lambda: dcm.dicom(changes), "slice.dcm", code)

    return (
        refused("H49", "65535-squared", "image-too-large", {rows: ("US", 65535), columns: ("US", 65535)}),
        refused("H49", "short-pixel-data", "dicom-inconsistent", {pixel_data: ("OW", bytes(1000))}),
        refused("H49", "long-pixel-data", "dicom-inconsistent", {pixel_data: ("OW", bytes(128 * 128 * 2 + 2))}),
        refused("H49", "rows-0", "dicom-inconsistent", {rows: ("US", 0)}),
        refused("H49", "rows-ul", "dicom-inconsistent", {rows: ("UL", 128)}),
        refused("H49", "bits-allocated-7", "dicom-inconsistent", {allocated: ("US", 7)}),
        refused("H49", "high-bit", "dicom-inconsistent", {high: ("US", 15)}),
        refused("H50", "frames-2e9", "dicom-multi-frame", {frames: ("IS", "2000000000")}),
        refused("H50", "frames-200", "dicom-multi-frame", {frames: ("IS", "200")}),
        refused("H50", "frames-abc", "dicom-inconsistent", {frames: ("IS", "abc")}),
        refused("H50", "frames-negative", "dicom-inconsistent", {frames: ("IS", "-1")}),
        refused("H51", "no-pixels", "dicom-no-pixels", {pixel_data: None}),
        refused("H53", "palette", "dicom-photometric", {photometric: ("CS", "PALETTE COLOR")}),
        refused("H53", "rgb", "dicom-photometric", {photometric: ("CS", "RGB"), samples: ("US", 3)}),
        refused("H53", "ybr", "dicom-photometric", {photometric: ("CS", "YBR_FULL_422"), samples: ("US", 3)}),
        refused("H54", "slope-missing", "dicom-rescale", {slope: None}),
        refused("H54", "intercept-missing", "dicom-rescale", {intercept: None}),
        refused("H54", "slope-0", "dicom-rescale", {slope: ("DS", "0")}),
        refused("H54", "slope-nan", "dicom-rescale", {slope: ("DS", "NaN")}),
        refused("H54", "slope-1e308", "dicom-rescale", {slope: ("DS", "1e308")}),
        refused("H54", "slope-text", "dicom-rescale", {slope: ("DS", "one")}),
        refused("H56", "modality-mr", "dicom-modality", {0x00080060: ("CS", "MR")}),
        refused("H56", "sop-class-mr", "dicom-modality", {0x00080016: ("UI", dcm.MR)}),
        refused("H56", "localizer", "dicom-modality", {0x00080008: ("CS", "ORIGINAL\\PRIMARY\\LOCALIZER")}),
        refused("H56", "coronal", "dicom-modality", {0x00200037: ("DS", "1\\0\\0\\0\\0\\-1")}),
    )  # fmt: skip


def _dicom_twins() -> tuple[Case, ...]:
    def equal(row: str, name: str, make: Callable[[], bytes], twin: Callable[[], bytes] = dcm.dicom) -> Case:
        return _equal(row, name, make, "slice.dcm", twin, tolerance=1e-3)

    stored = dcm.SLICE_HU + 1000
    signed = {0x00280103: ("US", 1), 0x00280101: ("US", 16), 0x00280102: ("US", 15), 0x00281052: ("DS", "0")}
    garbage = (np.arange(stored.size).reshape(stored.shape) % 16) << 12
    twelve_signed = {0x00280103: ("US", 1), 0x00281052: ("DS", "0")}
    padding = {0x00280120: ("SS", -2000)}
    padded = dcm.SLICE_HU.copy()
    padded[:8] = -2000
    cleared = dcm.SLICE_HU.copy()
    cleared[:8] = -1000
    return (
        equal("H52", "monochrome1",
              lambda: dcm.dicom({0x00280004: ("CS", "MONOCHROME1")}, pixels=dcm.words(1400 - stored))),
        equal("H55", "signed", lambda: dcm.dicom(signed, pixels=dcm.words(dcm.SLICE_HU))),
        equal("H55", "signed-12-bit-garbage",
              lambda: dcm.dicom(twelve_signed, pixels=dcm.words((dcm.SLICE_HU & 0xFFF) | garbage))),
        equal("H55", "garbage-high-bits", lambda: dcm.dicom(pixels=dcm.words(stored | garbage))),
        equal("H55", "padding", lambda: dcm.dicom(signed | padding, pixels=dcm.words(padded)),
              lambda: dcm.dicom(pixels=dcm.words(cleared + 1000))),
        equal("H55", "padding-bright", lambda: dcm.dicom({0x00280120: ("US", 4000)},
              pixels=dcm.words(np.where(cleared == -1000, 4000, stored))),
              lambda: dcm.dicom(pixels=dcm.words(np.where(cleared == -1000, 0, stored)))),
        equal("H55", "big-endian", lambda: dcm.dicom(syntax=dcm.BIG)),
        equal("H55", "implicit", lambda: dcm.dicom(syntax=dcm.IMPLICIT)),
        equal("H55", "rle", lambda: dcm.dicom(syntax=dcm.RLE, encapsulated=dcm.encoded(dcm.RLE))),
        equal("H55", "jpeg-ls", lambda: dcm.dicom(syntax=dcm.JPEG_LS, encapsulated=dcm.encoded(dcm.JPEG_LS))),
        equal("H55", "j2k", lambda: dcm.dicom(syntax=dcm.J2K, encapsulated=dcm.encoded(dcm.J2K))),
        equal("H55", "header-window-0", lambda: dcm.dicom({0x00281051: ("DS", "0")})),
        equal("H55", "dual-tiff-preamble", lambda: dcm.dicom(preamble=b"II*\x00\x10\x00\x00\x00".ljust(128, b"\x00"))),
    )  # fmt: skip


HOSTILE_CASES: tuple[Case, ...] = tuple(
    sorted(
        _structure() + _truncated() + _bombs() + _tiffs() + _depths() + _orientations() + _metadata() + _others()
        + _jpegs() + _dicom_structure() + _dicom_attributes() + _dicom_twins(),
        key=lambda case: case.id,
    )
)  # fmt: skip
"""Each row of the catalogue that is about the bytes of a file, in order."""
