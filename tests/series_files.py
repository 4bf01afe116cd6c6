"""DICOM slices of a series, made in code: where each lies, of whom, and with which identifiers."""

from __future__ import annotations

import io
import zipfile

import numpy as np

import dicom_files as dcm
from hilum.imaging.phantoms import draw_phantom


def series_slice(
    number: int,
    *,
    position: float | None = None,
    patient: str = "DOE^JANE-19610704",
    series: str = "1.2.3.4",
    thickness: str = "2.5",
    changes: dict[int, dcm.Value | None] | None = None,
) -> bytes:
    """Slice `number` of a series whose slices lie 2.5 mm apart; each shows another phantom."""
    at = 2.5 * number if position is None else position
    pixels = np.ascontiguousarray(draw_phantom(number)[::4, ::4])[:128, :128].astype(np.int64) * 5
    planted: dict[int, dcm.Value | None] = {
        0x00080018: ("UI", f"1.2.3.4.5.{number + 1}"),
        0x00080020: ("DA", "20260102"),
        0x00080090: ("PN", "HOUSE^GREGORY"),
        0x00100010: ("PN", patient),
        0x00100020: ("LO", f"ID-{patient}"[:60]),
        0x00100030: ("DA", "19610704"),
        0x00100040: ("CS", "F"),
        0x00180050: ("DS", thickness),
        0x0020000D: ("UI", "1.2.3"),
        0x0020000E: ("UI", series),
        0x00200013: ("IS", str(number + 1)),
        0x00200032: ("DS", f"-100\\-100\\{at}"),
        0x00280010: ("US", pixels.shape[0]),
        0x00280011: ("US", pixels.shape[1]),
    }
    return dcm.dicom(planted | (changes or {}), pixels=dcm.words(pixels))


def zip_of(files: list[bytes]) -> bytes:
    """A zip of slices, in the order given."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, data in enumerate(files):
            archive.writestr(f"series/{number}.dcm", data)
    return out.getvalue()
