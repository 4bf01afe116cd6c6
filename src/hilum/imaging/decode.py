"""Bytes to pixels: strict, bounded decoding by content. Knows no model and no HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.errors import EmptyFile, ImageTooLarge
from hilum.imaging.bmp import read_bmp
from hilum.imaging.dicom import read_dicom
from hilum.imaging.formats import is_extension_mismatch, recognise
from hilum.imaging.jpeg import read_jpeg
from hilum.imaging.limits import Limits
from hilum.imaging.png import read_png
from hilum.imaging.raster import Raster, to_grey
from hilum.imaging.tiff import read_tiff
from hilum.imaging.webp import read_webp

__all__ = ["CtSlice", "Limits", "decode"]

_READERS: dict[str, Callable[[bytes, Limits], Raster]] = {
    "png": read_png,
    "jpeg": read_jpeg,
    "tiff": read_tiff,
    "bmp": read_bmp,
    "webp": read_webp,
}


@dataclass(frozen=True)
class CtSlice:
    """A decoded slice.

    Attributes:
        pixels: (H, W) grey values on the 0..255 scale: uint8, or float32 where the source has more than 8 bits.
        file_format: png, jpeg, tiff, bmp, webp or dicom, by content.
        mode: the source's pixel layout, such as RGBA or L.
        warnings: codes of what a user should know, such as `extension-mismatch` (docs/formats.md lists them).
    """

    pixels: NDArray[np.uint8] | NDArray[np.float32]
    file_format: str
    mode: str
    warnings: tuple[str, ...] = ()


def decode(data: bytes, *, name: str | None = None, limits: Limits | None = None) -> CtSlice:
    """Decodes one image or DICOM slice.

    Args:
        data: the file's bytes.
        name: its name, compared with the content and used for nothing else.
        limits: caps that hold before anything is decoded.

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
    pixels: NDArray[np.uint8] | NDArray[np.float32]
    if file_format == "dicom":
        pixels, mode, warnings = read_dicom(data, limits)
    else:
        raster = _READERS[file_format](data, limits)
        mode = raster.mode
        pixels, warnings = to_grey(raster)
    if is_extension_mismatch(name, file_format):
        warnings = (*warnings, "extension-mismatch")
    return CtSlice(pixels, file_format, mode, warnings)
