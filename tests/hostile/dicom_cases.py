"""Hostile DICOM files: H45 to H56, H59, H60, H64 and H65."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
from hostile_case import Case, equal, refused

import dicom_files as dcm
import raster_files as img


def _dicom_structure() -> tuple[Case, ...]:
    def answer(row: str, name: str, code: str, make: Callable[[], bytes], *, is_bomb: bool = False) -> Case:
        return refused(row, name, make, "slice.dcm", code, is_bomb=is_bomb)

    script = b"<script>alert(1)</script>".ljust(128, b"\x00")
    return (
        answer("H45", "preamble-only", "dicom-corrupt", lambda: bytes(128) + b"DICM"),
        answer("H45", "junk", "dicom-corrupt", lambda: bytes(128) + b"DICM" + b"junk" * 100),
        answer("H45", "script-preamble", "dicom-corrupt", lambda: dcm.dicom(preamble=script)),
        answer("H45", "exe-preamble", "dicom-corrupt", lambda: dcm.dicom(preamble=b"MZ".ljust(128, b"\x90"))),
        answer("H45", "nested", "dicom-corrupt", lambda: dcm.dicom(body=dcm.nested(20_000)), is_bomb=True),
        answer("H45", "length-lie", "dicom-corrupt",
                lambda: dcm.dicom(body=dcm.element(0x00080005, "UN", b"x", length=0xFFFFFFF0))),
        answer("H59", "nested-20k", "dicom-corrupt", lambda: dcm.dicom(body=dcm.nested(20_000)), is_bomb=True),
        answer("H59", "elements-1m", "dicom-corrupt", lambda: dcm.dicom(body=dcm.many(1_000_000)), is_bomb=True),
        answer("H59", "length-4gb", "dicom-corrupt",
                lambda: dcm.dicom(body=dcm.element(0x00100010, "UN", b"x", length=0xFFFFFFF0))),
        answer("H60", "dicomdir", "unsupported-media-type", lambda: dcm.dicom(
            {0x00041220: ("SQ", dcm.record("..\\..\\etc\\passwd")), 0x7FE00010: None}, storage=dcm.DIRECTORY)),
        refused("H64", "nifti-gz", lambda: b"\x1f\x8b\x08\x00" + bytes(400), "slice.nii.gz", "unsupported-media-type"),
        refused("H64", "nifti", lambda: struct.pack("<i", 348) + bytes(340) + b"n+1\x00" + bytes(4), "slice.nii",
                "unsupported-media-type"),
        refused("H64", "nifti-pair", lambda: struct.pack("<i", 348) + bytes(340) + b"ni1\x00", "slice.hdr",
                "unsupported-media-type"),
        answer("H46", "no-preamble", "unsupported-media-type", lambda: dcm.dicom(syntax=dcm.IMPLICIT)[132:]),
        answer("H46", "raw-data-set", "unsupported-media-type",
                lambda: dcm.element(0x00080060, "CS", "CT", syntax=dcm.IMPLICIT) * 40),
        answer("H47", "mpeg4", "dicom-transfer-syntax", lambda: dcm.dicom(syntax=dcm.MPEG4)),
        answer("H47", "private-ge", "dicom-transfer-syntax", lambda: dcm.dicom(syntax=dcm.PRIVATE_GE)),
        answer("H47", "private-philips", "dicom-transfer-syntax", lambda: dcm.dicom(syntax=dcm.PRIVATE_PHILIPS)),
        answer("H47", "garbage-j2k", "dicom-decode-failed",
                lambda: dcm.dicom(syntax=dcm.J2K, encapsulated=dcm.fragment(b"\xff\x4f\xff\x51garbage"))),
        answer("H47", "cut-j2k", "dicom-decode-failed",
                lambda: dcm.dicom(syntax=dcm.J2K, encapsulated=dcm.fragment(dcm.frame(dcm.J2K)[:-900]))),
        answer("H47", "garbage-jpeg-ls", "dicom-decode-failed",
                lambda: dcm.dicom(syntax=dcm.JPEG_LS, encapsulated=dcm.garbled(dcm.JPEG_LS))),
        answer("H47", "garbage-jpeg", "dicom-decode-failed",
                lambda: dcm.dicom(syntax=dcm.JPEG_LOSSLESS, encapsulated=dcm.fragment(b"\xff\xd8garbage"))),
        answer("H47", "garbage-rle", "dicom-decode-failed",
                lambda: dcm.dicom(syntax=dcm.RLE, encapsulated=dcm.fragment(bytes(range(256)) * 4))),
        answer("H47", "rle-bomb", "dicom-decode-failed",
                lambda: dcm.dicom(syntax=dcm.RLE, encapsulated=dcm.fragment(_rle_bomb())), is_bomb=True),
        answer("H47", "j2k-60k", "dicom-inconsistent",
                lambda: dcm.dicom(syntax=dcm.J2K, encapsulated=dcm.fragment(_j2k_header(60_000))), is_bomb=True),
        answer("H48", "deflated", "dicom-transfer-syntax",
                lambda: dcm.dicom(syntax=dcm.DEFLATED, body=img.deflated_zeros(400_000_000)[2:-4]), is_bomb=True),
    )  # fmt: skip


_NO_IMAGES = (
    ("structured-report", "1.2.840.10008.5.1.4.1.1.88.33", "SR"),
    ("structure-set", "1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT"),
    ("key-objects", "1.2.840.10008.5.1.4.1.1.88.59", "KO"),
    ("pdf", "1.2.840.10008.5.1.4.1.1.104.1", "DOC"),
)


def _rle_bomb() -> bytes:
    body = b"\x81\x00" * 16_000
    return struct.pack("<3I", 2, 64, 64 + len(body)).ljust(64, b"\x00") + body + body


def _j2k_header(side: int) -> bytes:
    size = struct.pack(">HH8IHBBB", 41, 0, side, side, 0, 0, side, side, 0, 0, 1, 15, 1, 1)
    return b"\xff\x4f\xff\x51" + size + bytes(100) + b"\xff\xd9"


def _dicom_attributes() -> tuple[Case, ...]:
    rows, columns, frames, photometric, samples = 0x00280010, 0x00280011, 0x00280008, 0x00280004, 0x00280002
    allocated, high, slope, intercept = 0x00280100, 0x00280102, 0x00281053, 0x00281052
    pixel_data = 0x7FE00010

    def answer(row: str, name: str, code: str, changes: dict[int, dcm.Value | None]) -> Case:
        return refused(row, name, lambda: dcm.dicom(changes), "slice.dcm", code)

    return (
        answer("H49", "65535-squared", "image-too-large", {rows: ("US", 65535), columns: ("US", 65535)}),
        answer("H49", "short-pixel-data", "dicom-inconsistent", {pixel_data: ("OW", bytes(1000))}),
        answer("H49", "long-pixel-data", "dicom-inconsistent", {pixel_data: ("OW", bytes(128 * 128 * 2 + 2))}),
        answer("H49", "rows-0", "dicom-inconsistent", {rows: ("US", 0)}),
        answer("H49", "rows-ul", "dicom-inconsistent", {rows: ("UL", 128)}),
        answer("H49", "bits-allocated-7", "dicom-inconsistent", {allocated: ("US", 7)}),
        answer("H49", "high-bit", "dicom-inconsistent", {high: ("US", 15)}),
        answer("H50", "frames-2e9", "dicom-multi-frame", {frames: ("IS", "2000000000")}),
        answer("H50", "frames-200", "dicom-multi-frame", {frames: ("IS", "200")}),
        refused("H50", "frames-all-there", lambda: dcm.dicom(
            {frames: ("IS", "200")}, pixels=dcm.words(dcm.SLICE_HU + 1000) * 200), "slice.dcm", "dicom-multi-frame"),
        answer("H50", "frames-abc", "dicom-inconsistent", {frames: ("IS", "abc")}),
        answer("H50", "frames-negative", "dicom-inconsistent", {frames: ("IS", "-1")}),
        answer("H51", "no-pixels", "dicom-no-pixels", {pixel_data: None}),
        *(
            answer("H51", name, "dicom-no-pixels",
                    {pixel_data: None, 0x00080016: ("UI", storage), 0x00080060: ("CS", modality)})
            for name, storage, modality in _NO_IMAGES
        ),
        answer("H53", "palette", "dicom-photometric", {photometric: ("CS", "PALETTE COLOR")}),
        answer("H53", "palette-index-beyond-table", "dicom-photometric", {
            photometric: ("CS", "PALETTE COLOR"), 0x00281101: ("US", 4), 0x00281201: ("OW", bytes(8))}),
        answer("H53", "rgb", "dicom-photometric", {photometric: ("CS", "RGB"), samples: ("US", 3)}),
        answer("H53", "ybr", "dicom-photometric", {photometric: ("CS", "YBR_FULL_422"), samples: ("US", 3)}),
        answer("H54", "slope-missing", "dicom-rescale", {slope: None}),
        answer("H54", "intercept-missing", "dicom-rescale", {intercept: None}),
        answer("H54", "slope-0", "dicom-rescale", {slope: ("DS", "0")}),
        answer("H54", "slope-nan", "dicom-rescale", {slope: ("DS", "NaN")}),
        answer("H54", "slope-underscore", "dicom-rescale", {slope: ("DS", "1_0")}),
        answer("H54", "slope-infinity", "dicom-rescale", {slope: ("DS", "Infinity")}),
        answer("H54", "slope-1e308", "dicom-rescale", {slope: ("DS", "1e308")}),
        answer("H54", "slope-text", "dicom-rescale", {slope: ("DS", "one")}),
        answer("H56", "modality-mr", "dicom-modality", {0x00080060: ("CS", "MR")}),
        answer("H56", "modality-cr", "dicom-modality", {0x00080060: ("CS", "CR"), 0x00080016: ("UI", dcm.CR)}),
        answer("H56", "modality-pt", "dicom-modality", {0x00080060: ("CS", "PT")}),
        answer("H56", "secondary-capture", "dicom-modality", {0x00080016: ("UI", dcm.SECONDARY_CAPTURE)}),
        answer("H56", "sop-class-mr", "dicom-modality", {0x00080016: ("UI", dcm.MR)}),
        answer("H56", "localizer", "dicom-modality", {0x00080008: ("CS", "ORIGINAL\\PRIMARY\\LOCALIZER")}),
        answer("H56", "coronal", "dicom-modality", {0x00200037: ("DS", "1\\0\\0\\0\\0\\-1")}),
    )  # fmt: skip


def _dicom_twins() -> tuple[Case, ...]:
    def same(row: str, name: str, make: Callable[[], bytes], twin: Callable[[], bytes] = dcm.dicom) -> Case:
        return equal(row, name, make, "slice.dcm", twin, tolerance=1e-3)

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
        same("H52", "monochrome1",
              lambda: dcm.dicom({0x00280004: ("CS", "MONOCHROME1")}, pixels=dcm.words(1400 - stored))),
        same("H55", "signed", lambda: dcm.dicom(signed, pixels=dcm.words(dcm.SLICE_HU))),
        same("H55", "signed-12-bit-garbage",
              lambda: dcm.dicom(twelve_signed, pixels=dcm.words((dcm.SLICE_HU & 0xFFF) | garbage))),
        same("H55", "garbage-high-bits", lambda: dcm.dicom(pixels=dcm.words(stored | garbage))),
        same("H55", "padding", lambda: dcm.dicom(signed | padding, pixels=dcm.words(padded)),
              lambda: dcm.dicom(pixels=dcm.words(cleared + 1000))),
        same("H55", "padding-bright", lambda: dcm.dicom({0x00280120: ("US", 4000)},
              pixels=dcm.words(np.where(cleared == -1000, 4000, stored))),
              lambda: dcm.dicom(pixels=dcm.words(np.where(cleared == -1000, 0, stored)))),
        same("H55", "big-endian", lambda: dcm.dicom(syntax=dcm.BIG)),
        same("H55", "implicit", lambda: dcm.dicom(syntax=dcm.IMPLICIT)),
        same("H55", "rle", lambda: dcm.dicom(syntax=dcm.RLE, encapsulated=dcm.encoded(dcm.RLE))),
        same("H55", "jpeg-ls", lambda: dcm.dicom(syntax=dcm.JPEG_LS, encapsulated=dcm.encoded(dcm.JPEG_LS))),
        same("H55", "j2k", lambda: dcm.dicom(syntax=dcm.J2K, encapsulated=dcm.encoded(dcm.J2K))),
        same("H55", "header-window-0", lambda: dcm.dicom({0x00281051: ("DS", "0")})),
        same("H65", "window-0", lambda: dcm.dicom({0x00281051: ("DS", "0")})),
        same("H65", "window-negative", lambda: dcm.dicom({0x00281051: ("DS", "-400"), 0x00281050: ("DS", "NaN")})),
        same("H65", "window-many",
              lambda: dcm.dicom({0x00281051: ("DS", "400\\1500\\1"), 0x00281050: ("DS", "40\\-600")})),
        same("H55", "dual-tiff-preamble", lambda: dcm.dicom(preamble=b"II*\x00\x10\x00\x00\x00".ljust(128, b"\x00"))),
    )  # fmt: skip


DICOM_CASES: tuple[Case, ...] = _dicom_structure() + _dicom_attributes() + _dicom_twins()
"""H45 to H56, H59, H60, H64, H65."""
