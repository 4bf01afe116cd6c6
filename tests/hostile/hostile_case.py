"""One hostile input and what it gets. Knows no input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import raster_files as img


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


def refused(row: str, name: str, make: Callable[[], bytes], filename: str, code: str, *, is_bomb: bool = False) -> Case:
    return Case(row, name, make, filename, _STATUS.get(code, 422), code, is_bomb=is_bomb)


def equal(
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
