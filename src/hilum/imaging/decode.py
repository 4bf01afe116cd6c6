"""Bytes to pixels: strict, bounded decoding by content. Knows no model and no HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hilum.errors import EmptyFile, ImageTooLarge
from hilum.imaging.bmp import read_bmp
from hilum.imaging.dicom import BURNED_IN, read_dicom
from hilum.imaging.dicom_copy import pixels_of_dicom
from hilum.imaging.formats import is_extension_mismatch, recognise
from hilum.imaging.jpeg import pixels_of_jpeg, read_jpeg
from hilum.imaging.limits import Limits
from hilum.imaging.png import pixels_of_png, read_png
from hilum.imaging.png_writer import write_png
from hilum.imaging.raster import Raster, to_grey
from hilum.imaging.tiff import read_tiff
from hilum.imaging.webp import pixels_of_webp, read_webp

__all__ = ["CtSlice", "Decode", "Limits", "decode"]

_READERS: dict[str, Callable[[bytes, Limits], Raster]] = {
    "png": read_png,
    "jpeg": read_jpeg,
    "tiff": read_tiff,
    "bmp": read_bmp,
    "webp": read_webp,
}

_COPIERS: dict[str, Callable[[bytes], bytes]] = {
    "png": pixels_of_png,
    "jpeg": pixels_of_jpeg,
    "webp": pixels_of_webp,
}
"""The codestream as it came; of other formats the pixels are written anew."""


@dataclass(frozen=True)
class CtSlice:
    """A decoded slice.

    Attributes:
        pixels: (H, W) grey values on the 0..255 scale: uint8, or float32 where the source has more than 8 bits.
        file_format: png, jpeg, tiff, bmp, webp or dicom, by content.
        mode: the source's pixel layout, such as RGBA or L.
        warnings: codes of what a user should know, such as `extension-mismatch` (docs/formats.md lists them).
        pixel_file: a file of the same pixels without anything else the source held, fit to be kept; None where none
            was asked for, or where the source says that its pixels show text.
    """

    pixels: NDArray[np.uint8] | NDArray[np.float32]
    file_format: str
    mode: str
    warnings: tuple[str, ...] = ()
    pixel_file: bytes | None = None


class Decode(Protocol):
    """A way to decode: `decode`, or one that does the same somewhere else."""

    def __call__(
        self, data: bytes, *, name: str | None = None, limits: Limits | None = None, with_pixel_file: bool = False
    ) -> CtSlice:
        """Decodes one image or DICOM slice, or raises `InputRejected`."""
        ...


def decode(
    data: bytes, *, name: str | None = None, limits: Limits | None = None, with_pixel_file: bool = False
) -> CtSlice:
    """Decodes one image or DICOM slice.

    Args:
        data: the file's bytes.
        name: its name, compared with the content and used for nothing else.
        limits: caps that hold before anything is decoded.
        with_pixel_file: also makes the copy that may be kept.

    Raises:
        InputRejected: a leaf that says what is wrong with the bytes.
    """
    limits = limits or Limits()
    if not data:
        raise EmptyFile("The file has no bytes.")
    if len(data) > limits.file_bytes:
        raise ImageTooLarge(
            f"The file has {len(data)} bytes; {limits.file_bytes} are the limit.",
            limit=limits.file_bytes,
            actual=len(data),
        )
    file_format = recognise(data)
    reader = _read_dicom if file_format == "dicom" else _read_raster
    ct_slice = reader(data, file_format, limits, with_pixel_file)
    if is_extension_mismatch(name, file_format):
        return replace(ct_slice, warnings=(*ct_slice.warnings, "extension-mismatch"))
    return ct_slice


def _read_dicom(data: bytes, file_format: str, limits: Limits, with_pixel_file: bool) -> CtSlice:
    read = read_dicom(data, limits)
    is_kept = with_pixel_file and BURNED_IN not in read.warnings
    return CtSlice(read.pixels, file_format, read.mode, read.warnings, pixels_of_dicom(read) if is_kept else None)


def _read_raster(data: bytes, file_format: str, limits: Limits, with_pixel_file: bool) -> CtSlice:
    raster = _READERS[file_format](data, limits)
    pixels, warnings = to_grey(raster)
    if not with_pixel_file:
        return CtSlice(pixels, file_format, raster.mode, warnings)
    copier = _COPIERS.get(file_format)
    return CtSlice(pixels, file_format, raster.mode, warnings, copier(data) if copier else write_png(raster))
