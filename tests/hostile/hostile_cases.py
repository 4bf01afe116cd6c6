"""The table of hostile inputs H01 to H29 and H45 to H56, and what each gets. Every case is made by code."""

from __future__ import annotations

from dicom_cases import DICOM_CASES
from file_cases import FILE_CASES
from hostile_case import Case
from layout_cases import LAYOUT_CASES

__all__ = ["HOSTILE_CASES", "Case"]

HOSTILE_CASES: tuple[Case, ...] = tuple(sorted(FILE_CASES + LAYOUT_CASES + DICOM_CASES, key=lambda case: case.id))
"""Each row of the catalogue that is about the bytes of a file, in order."""
