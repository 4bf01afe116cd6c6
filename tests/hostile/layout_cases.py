"""Pixels in disguise, which must look like their plain twin: H17 to H23."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
from hostile_case import Case, equal, refused
from PIL import ImageCms

import raster_files as img
from raster_files import PICTURE


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
        equal("H17", "png-16", lambda: img.png(sixteen, depth=16), "slice.png", tolerance=1e-3),
        equal("H17", "png-16-rgba", lambda: img.png(_rgba(255).astype(np.uint16) * 257, depth=16, color=6),
               "slice.png", tolerance=1e-3),
        equal("H18", "rgba-opaque", lambda: img.png(_rgba(255), color=6), "slice.png"),
        equal("H18", "rgba-transparent-white",
               lambda: img.png(np.dstack([np.full_like(_rgba(0)[..., :3], 255), PICTURE]), color=6), "slice.png"),
        equal("H18", "rgba-half", lambda: img.png(_rgba(128), color=6), "slice.png", lambda: _dimmed(128),
               tolerance=1),
        equal("H18", "la", lambda: img.png(np.dstack([np.full_like(PICTURE, 255), PICTURE]), color=4), "slice.png"),
        equal("H18", "bmp-alpha",
               lambda: img.bmp_masked(np.dstack([np.full_like(_rgba(0)[..., :3], 255), PICTURE])), "slice.bmp"),
        equal("H19", "palette", lambda: img.png(255 - PICTURE, color=3, before=img.chunk(b"PLTE", palette)),
               "slice.png"),
        equal("H19", "palette-trns",
               lambda: img.png(PICTURE, color=3, before=img.chunk(b"PLTE", b"\xff" * 768)
                               + img.chunk(b"tRNS", bytes(range(256)))), "slice.png"),
        equal("H19", "colour-key", lambda: img.png(before=key), "slice.png",
               lambda: img.png(np.where(PICTURE[64, 64] == PICTURE, 0, PICTURE).astype(np.uint8))),
        equal("H19", "adam7", lambda: img.png(is_interlaced=True), "slice.png"),
        equal("H19", "adam7-rgba", lambda: img.png(_rgba(255), color=6, is_interlaced=True), "slice.png"),
        equal("H19", "adam7-16", lambda: img.png(sixteen, depth=16, is_interlaced=True), "slice.png",
               tolerance=1e-3),
        equal("H19", "adam7-1-bit", lambda: img.png(few(2), depth=1, is_interlaced=True), "slice.png",
               lambda: stretched(2)),
        refused("H19", "palette-index", lambda: img.png(color=3, before=img.chunk(b"PLTE", palette[:9])),
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

        cases.append(equal("H19", f"grey-{depth}-bit", grey, "slice.png", plain))
        cases.append(equal("H19", f"palette-{depth}-bit", indexed, "slice.png", plain))
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
            equal("H20", f"png-{value}", as_png, "slice.png"),
            equal("H20", f"jpeg-{value}", as_jpeg, "slice.jpg", tolerance=3),
            equal("H20", f"webp-{value}", as_webp, "slice.webp"),
            equal("H20", f"tiff-{value}", as_tiff, "slice.tif"),
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
        equal("H21", "exif-64k", jpeg_exif(img.exif(1, extra=b"A" * 65_000)), "slice.jpg", img.jpeg),
        equal("H21", "exif-malformed", jpeg_exif(b"II*\x00\xff\xff\xff\xff junk"), "slice.jpg", img.jpeg),
        equal("H21", "exif-loop", jpeg_exif(b"II*\x00\x08\x00\x00\x00\xff\xff"), "slice.jpg", img.jpeg),
        equal("H21", "exif-gps", jpeg_exif(gps), "slice.jpg", img.jpeg),
        equal("H22", "icc-sound", lambda: png_icc(zlib.compress(_icc())), "slice.png"),
        equal("H22", "icc-corrupt", lambda: png_icc(b"\x00garbage"), "slice.png", warnings=("icc-profile-corrupt",)),
        equal("H22", "icc-jpeg", lambda: img.with_segment(img.jpeg(), 0xE2, b"ICC_PROFILE\x00\x01\x01" + b"no" * 80),
               "slice.jpg", img.jpeg, warnings=("icc-profile-corrupt",)),
        equal("H23", "png-named-jpg", img.png, "slice.jpg", warnings=("extension-mismatch",)),
        equal("H23", "jpeg-named-png", img.jpeg, "slice.PNG", img.jpeg, warnings=("extension-mismatch",)),
    )  # fmt: skip


LAYOUT_CASES: tuple[Case, ...] = _depths() + _orientations() + _metadata()
