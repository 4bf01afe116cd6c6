"""One CT slice from a DICOM file, in Hounsfield units on a fixed window. Trusts no header it has not checked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.errors import (
    DicomInconsistent,
    DicomModality,
    DicomMultiFrame,
    DicomNoPixels,
    DicomPhotometric,
    DicomRescale,
)
from hilum.imaging import dicom_elements
from hilum.imaging.dicom_elements import PIXEL_DATA, DicomFile, walk
from hilum.imaging.dicom_pixels import decode_frame
from hilum.imaging.limits import Limits, check_size

WINDOW_HU = (-1000.0, 400.0)
"""Air to bone: what becomes 0 and 255. The header's window is a viewer's taste and is ignored."""

_CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
_SOP_CLASS, _IMAGE_TYPE, _MODALITY, _ORIENTATION = 0x00080016, 0x00080008, 0x00080060, 0x00200037
_SAMPLES, _PHOTOMETRIC, _FRAMES, _ROWS, _COLUMNS = 0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011
_BITS_ALLOCATED, _BITS_STORED, _HIGH_BIT, _IS_SIGNED = 0x00280100, 0x00280101, 0x00280102, 0x00280103
_PADDING, _PADDING_LIMIT = 0x00280120, 0x00280121
_INTERCEPT, _SLOPE, _RESCALE_TYPE, _LOSSY = 0x00281052, 0x00281053, 0x00281054, 0x00282110
_BURNED_IN = 0x00280301

BURNED_IN = "burned-in-annotation"
"""The warning of a file that says its pixels show text, which may name a person."""

_MIN_AXIAL_COSINE = 0.8
"""Of the slice normal with the body's axis: gantries tilt up to 30 degrees (cosine 0.87)."""

_MAX_HU = 1e6


@dataclass(frozen=True)
class Coding:
    """How stored values are coded, as checked against the caps."""

    rows: int
    columns: int
    bits_stored: int
    is_signed: bool


@dataclass(frozen=True)
class DicomSlice:
    """A decoded CT slice.

    Attributes:
        pixels: (H, W) float32 on the 0..255 scale, linear in HU over `WINDOW_HU`.
        stored: (H, W) int32, stored values without what else their containers hold.
        padding: (H, W), where there is no image; None where the file names no padding.
        photometric: MONOCHROME1 or MONOCHROME2.
        coding: of the stored values.
        slope, intercept: from stored values to Hounsfield units.
        warnings: `lossy-compression`, `burned-in-annotation`.
    """

    pixels: NDArray[np.float32]
    stored: NDArray[np.int32]
    padding: NDArray[np.bool_] | None
    photometric: str
    coding: Coding
    slope: float
    intercept: float
    warnings: tuple[str, ...]

    @property
    def mode(self) -> str:
        """The source's pixel layout."""
        return f"{self.photometric};{self.coding.bits_stored}{'s' if self.coding.is_signed else 'u'}"


def read_hounsfield(data: bytes, limits: Limits) -> NDArray[np.int16]:
    """Reads a CT slice over its whole range, for a viewer with a window of its own.

    Returns:
        (H, W) Hounsfield units; padding, and what does not fit 16 bits, is at the end of their range.

    Raises:
        InputRejected: as for `read_dicom`, and where greys are stored inverted, whose window would mean another thing.
    """
    frame = read_dicom(data, limits)
    if frame.photometric == "MONOCHROME1":
        raise DicomPhotometric("The slice stores its greys inverted (MONOCHROME1) and cannot be windowed.")
    ends = np.iinfo(np.int16)
    hounsfield = frame.stored * np.float64(frame.slope) + frame.intercept
    units = np.clip(np.rint(hounsfield), ends.min, ends.max).astype(np.int16)
    if frame.padding is not None:
        units[frame.padding] = ends.min
    return units


def read_dicom(data: bytes, limits: Limits) -> DicomSlice:
    """Reads a CT slice.

    Raises:
        InputRejected: no CT slice, damaged, contradictory, of an unread transfer syntax or outside the caps.
    """
    file = walk(data)
    _check_is_axial_ct(file)
    photometric = _photometric(file)
    coding = _coding(file, limits)
    slope, intercept = _rescale(file)
    container = decode_frame(file, coding.rows, coding.columns, coding.bits_stored, coding.is_signed)
    stored = _stored_values(container, coding)
    low, high = WINDOW_HU
    hounsfield = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    pixels = (np.clip(hounsfield, low, high) - np.float32(low)) * np.float32(255 / (high - low))
    if photometric == "MONOCHROME1":
        pixels = np.float32(255) - pixels
    padding = _padding(file, container, stored, coding)
    if padding is not None:
        pixels[padding] = 0
    return DicomSlice(pixels, stored, padding, photometric, coding, slope, intercept, _warnings(file))


def _warnings(file: DicomFile) -> tuple[str, ...]:
    is_lossy = file.transfer_syntax in dicom_elements.LOSSY or file.text(_LOSSY) == "01"
    lossy = ("lossy-compression",) if is_lossy else ()
    return (*lossy, BURNED_IN) if file.text(_BURNED_IN).upper() == "YES" else lossy


def _check_is_axial_ct(file: DicomFile) -> None:
    if PIXEL_DATA not in file.elements:
        raise DicomNoPixels("The DICOM file has no Pixel Data; send an image, not a report, structure set or plan.")
    modality = file.text(_MODALITY)
    if modality != "CT" or file.text(_SOP_CLASS) != _CT_IMAGE_STORAGE:
        shown = "".join(c for c in modality[:16] if c.isalnum())
        raise DicomModality(
            f"The DICOM file is of modality {shown or 'unknown'}, not a CT Image; send an axial CT slice."
        )
    if "LOCALIZER" in file.text(_IMAGE_TYPE).upper().split("\\"):
        raise DicomModality("The DICOM file is a scout (localizer), not an axial slice.")
    try:
        cosines = file.decimals(_ORIENTATION)
    except ValueError:
        cosines = (math.nan,)
    if not cosines:
        return
    if len(cosines) != 6 or not all(map(math.isfinite, cosines)):
        raise DicomInconsistent("Image Orientation (Patient) is not six numbers.")
    if abs(cosines[0] * cosines[4] - cosines[1] * cosines[3]) < _MIN_AXIAL_COSINE:
        raise DicomModality("The DICOM slice is not axial by its Image Orientation (Patient).")


def _photometric(file: DicomFile) -> str:
    photometric = file.text(_PHOTOMETRIC)
    if photometric not in {"MONOCHROME1", "MONOCHROME2"} or file.unsigned(_SAMPLES, 1) != 1:
        raise DicomPhotometric("A CT slice is MONOCHROME1 or MONOCHROME2 with one sample a pixel; this file is not.")
    return photometric


def _coding(file: DicomFile, limits: Limits) -> Coding:
    rows, columns = file.unsigned(_ROWS), file.unsigned(_COLUMNS)
    if not rows or not columns:
        raise DicomInconsistent("Rows or Columns is zero.")
    check_size(columns, rows, limits, bytes_per_pixel=6)
    frames = file.text(_FRAMES) or "1"
    if not frames.isascii() or not frames.isdigit() or int(frames) == 0:
        raise DicomInconsistent("Number of Frames is no positive number.")
    if int(frames) > 1:
        raise DicomMultiFrame("The DICOM file holds several frames; send a single slice.", limit=1)
    allocated, stored = file.unsigned(_BITS_ALLOCATED), file.unsigned(_BITS_STORED)
    high, sign = file.unsigned(_HIGH_BIT), file.unsigned(_IS_SIGNED)
    # CT is 16 bits allocated (PS3.3, C.8.2.1.1.4), and the high bit follows from the stored ones (PS3.5, 8.1.1).
    if allocated != 16 or not 1 <= stored <= 16 or high != stored - 1 or sign > 1:
        raise DicomInconsistent("Bits Allocated, Bits Stored, High Bit and Pixel Representation contradict each other.")
    return Coding(rows, columns, stored, sign == 1)


def _rescale(file: DicomFile) -> tuple[float, float]:
    try:
        slopes, intercepts = file.decimals(_SLOPE), file.decimals(_INTERCEPT)
    except ValueError:
        slopes, intercepts = (math.nan,), (math.nan,)
    if len(slopes) != 1 or len(intercepts) != 1:
        raise DicomRescale("Rescale Slope or Intercept is missing; without them there are no Hounsfield units.")
    slope, intercept = slopes[0], intercepts[0]
    if not (math.isfinite(slope) and math.isfinite(intercept) and 0 < slope <= _MAX_HU and abs(intercept) <= _MAX_HU):
        raise DicomRescale("Rescale Slope must be a positive and Intercept a finite number of plausible size.")
    if file.text(_RESCALE_TYPE) not in {"", "HU", "US"}:
        raise DicomRescale("Rescale Type is not HU.")
    return slope, intercept


def _stored_values(container: NDArray[np.uint16], coding: Coding) -> NDArray[np.int32]:
    """Takes the stored bits out of their container; whatever else is in it is not pixels."""
    spare = 16 - coding.bits_stored
    shifted = container << np.uint16(spare)
    signed = shifted.view(np.int16) if coding.is_signed else shifted
    return (signed >> spare).astype(np.int32)


def _padding(
    file: DicomFile, container: NDArray[np.uint16], stored: NDArray[np.int32], coding: Coding
) -> NDArray[np.bool_] | None:
    """Marks padding: by its container value, and by its stored value where it fits the stored bits."""
    if _PADDING not in file.elements:
        return None
    raw = file.unsigned(_PADDING)
    bits = coding.bits_stored
    value = raw - 65536 if coding.is_signed and raw & 0x8000 else raw
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if coding.is_signed else (0, (1 << bits) - 1)
    if not low <= value <= high:
        return np.asarray(container == raw)
    if _PADDING_LIMIT not in file.elements:
        return np.asarray(stored == value)
    limit = file.unsigned(_PADDING_LIMIT)
    limit = limit - 65536 if coding.is_signed and limit & 0x8000 else limit
    return np.asarray((stored >= min(value, limit)) & (stored <= max(value, limit)))
