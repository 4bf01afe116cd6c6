"""The caps on an input and the checks of a declared size against them. Knows numbers only, no format."""

from __future__ import annotations

from dataclasses import dataclass

from hilum.errors import ImageBadAspect, ImageTooLarge, ImageTooSmall


@dataclass(frozen=True)
class Limits:
    """Caps that hold before anything is decoded.

    Attributes:
        file_bytes: size of the encoded file.
        pixels: width times height.
        min_side, max_side: sides in pixels.
        max_aspect: long side over short side.
        decoded_bytes: memory the decoder would fill, as its headers declare it.
    """

    file_bytes: int = 50_000_000
    pixels: int = 25_000_000
    min_side: int = 16
    max_side: int = 8192
    max_aspect: float = 4.0
    decoded_bytes: int = 128_000_000


def check_size(width: int, height: int, limits: Limits, *, bytes_per_pixel: float = 1) -> None:
    """Refuses a declared size outside the caps.

    Args:
        width: in pixels, as declared.
        height: in pixels, as declared.
        limits: the caps.
        bytes_per_pixel: what decoding will hold in memory for each pixel.

    Raises:
        ImageTooSmall: a side is below `min_side`.
        ImageTooLarge: a side, the pixel count or the decoded bytes exceed their cap.
        ImageBadAspect: the sides' ratio exceeds `max_aspect`.
    """
    short, long = sorted((width, height))
    shown = f"The image is {width} x {height} pixels"
    if short < limits.min_side:
        raise ImageTooSmall(
            f"{shown}; each side needs at least {limits.min_side}.", limit=limits.min_side, actual=short
        )
    if long > limits.max_side:
        raise ImageTooLarge(f"{shown}; a side may have {limits.max_side}.", limit=limits.max_side, actual=long)
    if width * height > limits.pixels:
        raise ImageTooLarge(
            f"{shown}; {limits.pixels} pixels are the limit.", limit=limits.pixels, actual=width * height
        )
    decoded = width * height * bytes_per_pixel
    if decoded > limits.decoded_bytes:
        raise ImageTooLarge(
            f"{shown} and needs {decoded:.0f} bytes decoded; {limits.decoded_bytes} are the limit.",
            limit=limits.decoded_bytes,
            actual=decoded,
        )
    if long > limits.max_aspect * short:
        raise ImageBadAspect(
            f"{shown}; the long side may be {limits.max_aspect:g} times the short one.",
            limit=limits.max_aspect,
            actual=round(long / short, 2),
        )
