"""Damaged, oversized, foreign and two-faced image files: H01 to H16 and H24 to H29."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
from hostile_case import Case, equal, refused

import dicom_files as dcm
import raster_files as img
from raster_files import PICTURE


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
        refused("H03", f"{filename[6:]}-{percent}", _cut(make, percent), filename, "image-truncated")
        for filename, make in whole.items()
        for percent in (30, 60, 95)
    )


def _text_bomb(kind: bytes, head: bytes) -> Callable[[], bytes]:
    return lambda: img.png(before=img.chunk(kind, head + img.deflated_zeros(200_000_000)))


def _bombs() -> tuple[Case, ...]:
    def bomb(row: str, name: str, make: Callable[[], bytes], code: str = "image-too-large") -> Case:
        return refused(row, name, make, "slice.png", code, is_bomb=True)

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
        refused("H01", "empty", lambda: b"", "slice.png", "empty-file"),
        refused("H02", "png-signature", lambda: img.PNG_SIGNATURE, "slice.png", "image-corrupt"),
        refused("H04", "idat-crc", lambda: img.png(idat_crc=1), "slice.png", "image-corrupt"),
        refused("H04", "adler", _with_wrong_adler, "slice.png", "image-corrupt"),
        refused("H11", "1x1", lambda: img.png(PICTURE[:1, :1]), "slice.png", "image-too-small"),
        refused("H11", "1x8192", lambda: img.png_bomb(1, 8192), "slice.png", "image-too-small"),
        refused("H11", "8192x1", lambda: img.png_bomb(8192, 1), "slice.png", "image-too-small"),
        refused("H11", "8192x16", lambda: img.png_bomb(8192, 16), "slice.png", "image-bad-aspect"),
        refused("H11", "16x128", lambda: img.png(PICTURE[:16]), "slice.png", "image-bad-aspect"),
        refused("H12", "apng", lambda: img.apng(20), "slice.png", "image-multi-frame"),
        refused("H12", "gif", lambda: img.animated("GIF", 5), "slice.gif", "unsupported-media-type"),
        refused("H12", "webp", lambda: img.animated("WEBP", 5), "slice.webp", "image-multi-frame"),
        refused("H13", "201-pages", lambda: img.animated("TIFF", 201), "slice.tif", "image-multi-frame"),
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
        return refused("H14", name, make, "slice.tif", "image-corrupt")

    def invalid(name: str, dtype: str, sample_format: int) -> Case:
        return refused("H15", name, _tiff_numbers(dtype, sample_format), "slice.tif", "pixel-values-invalid")

    tile = {322: [1 << 20], 323: [1 << 20], 324: [16], 325: [128 * 128], 273: None, 278: None, 279: None}
    return (
        corrupt("ifd-loop", lambda: img.tiff(following=None)),
        corrupt("samples-65535", lambda: img.tiff(changes={277: [65535]})),
        corrupt("tile-size", lambda: img.tiff(changes=tile)),
        corrupt("tile-size-17", lambda: img.tiff(changes=tile | {322: [17], 323: [17]})),
        corrupt("strip-count", lambda: img.tiff(changes={278: [1]})),
        corrupt("bigtiff-offset", lambda: b"II+\x00\x08\x00\x00\x00" + struct.pack("<Q", 1 << 60) + bytes(64)),
        corrupt("bigtiff-strip", lambda: img.tiff(is_big=True, changes={273: [0xFFFFFFF0]})),
        equal("H14", "bigtiff-sound", lambda: img.tiff(is_big=True), "slice.tif"),
        invalid("float32-nan", "<f4", 3),
        invalid("int16", "<i2", 2),
        invalid("int32", "<i4", 2),
        invalid("uint32", "<u4", 1),
        refused("H16", "cmyk-tiff", lambda: img.saved("TIFF", mode="CMYK"), "slice.tif", "color-mode-unsupported"),
        equal("H17", "tiff-16", lambda: _tiff16("<"), "slice.tif"),
        equal("H17", "tiff-16-big-endian", lambda: _tiff16(">"), "slice.tif"),
    )


def _tiff16(order: str) -> bytes:
    values = (PICTURE.astype(np.uint16) * 257).astype(order + "u2")
    return img.tiff([values.tobytes()], order=order, changes={258: [16]})


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
        refused(rows.get(name, "H25"), name, lambda body=body: body, "slice.png", "unsupported-media-type")
        for name, body in foreign.items()
    )
    tail = b"PK\x03\x04<script>alert(1)</script>"
    stream = zlib.compress(img.scanlines(PICTURE, 8))
    hidden = {
        "behind-image-data": [img.chunk(b"IDAT", stream + tail), img.chunk(b"IEND", b"")],
        "in-rows-beyond-the-last": [
            img.chunk(b"IDAT", zlib.compress(img.scanlines(PICTURE, 8) + bytes(129))), img.chunk(b"IEND", b"")
        ],
        "in-an-image-data-chunk-of-its-own": [
            img.chunk(b"IDAT", stream), img.chunk(b"IDAT", tail), img.chunk(b"IEND", b"")
        ],
        "in-the-end-chunk": [img.chunk(b"IDAT", stream), img.chunk(b"IEND", tail)],
    }  # fmt: skip
    makers = {"png": img.png, "jpg": img.jpeg, "webp": img.webp, "bmp": img.bmp, "tif": img.tiff, "dcm": dcm.dicom}
    tailed = tuple(
        refused("H26", f"tail-{ext}", lambda make=make: make() + tail, f"slice.{ext}", "trailing-data")
        for ext, make in makers.items()
    )
    inside = tuple(
        refused("H26", name, lambda parts=parts: _png_of(*parts), "slice.png", "trailing-data")
        for name, parts in hidden.items()
    )
    palette = img.chunk(b"PLTE", tail.ljust(768))
    in_palette = refused("H26", "in-a-palette-of-grey", lambda: img.png(before=palette), "slice.png", "image-corrupt")
    return (*named_png, *tailed, *inside, in_palette)


def _png_of(*parts: bytes) -> bytes:
    return b"".join((img.PNG_SIGNATURE, img.ihdr(128, 128), *parts))


def _jpegs() -> tuple[Case, ...]:
    def photo(mode: str) -> Callable[[], bytes]:
        return lambda: img.saved("JPEG", img.colored(), mode, quality=90)

    return (
        refused("H16", "cmyk-jpeg", photo("CMYK"), "slice.jpg", "color-mode-unsupported"),
        refused("H16", "ycck-jpeg", _ycck, "slice.jpg", "color-mode-unsupported"),
        refused("H27", "20-mb-of-fill", lambda: b"\xff\xd8" + b"\xff" * 20_000_000, "slice.jpg", "image-truncated",
                 is_bomb=True),
        refused("H27", "10k-scans", lambda: img.many_scans(10_000), "slice.jpg", "decode-timeout", is_bomb=True),
        refused("H27", "65500x1", lambda: img.jpeg(np.zeros((1, 65_500), np.uint8)), "slice.jpg", "image-too-small"),
        refused("H27", "arithmetic", lambda: img.with_frame_byte(img.jpeg(), 1, 0xC9), "slice.jpg",
                 "unsupported-media-type"),
        refused("H27", "12-bit", lambda: img.with_frame_byte(img.jpeg(), 4, 12), "slice.jpg",
                 "unsupported-media-type"),
        refused("H28", "bmp-negative-height", lambda: img.bmp(height=-128), "slice.bmp", "image-corrupt"),
        refused("H28", "bmp-minimum-height", lambda: img.bmp(height=-(1 << 31)), "slice.bmp", "image-too-large"),
        refused("H28", "bmp-rle", lambda: img.bmp(compression=1, body=b"\xff\x00" * 100 + b"\x00\x01"), "slice.bmp",
                 "color-mode-unsupported"),
        refused("H28", "webp-16383", lambda: img.webp_header_only(16383, 16383), "slice.webp", "image-too-large",
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


FILE_CASES: tuple[Case, ...] = _structure() + _truncated() + _bombs() + _tiffs() + _others() + _jpegs()
