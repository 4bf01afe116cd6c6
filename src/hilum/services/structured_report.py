"""A DICOM SR of answers (TID 1500), made from the request's own bytes and kept nowhere. Knows no HTTP and no model.

highdicom takes 190 MB and seconds to load, so a report is written by a process of its own, which ends with it: what
identifies a patient reaches it through a pipe, and leaves it in the report only.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from hilum.errors import Overloaded, ReportImpossible

UNNAMED = "a report names the DICOM slices it is about; send DICOM files with SOP instance, series and study UIDs"

_LONGEST_S = 60
_MOST_SLICES = 50
"""Of a study the most suspicious slices are reported one by one, up to so many."""


@dataclass(frozen=True)
class ReportedSlice:
    """One slice of a report.

    Attributes:
        reference: the elements that identify it (`hilum.imaging.dicom_header`); None where its file has none.
        predicted_class, decision: of its answer.
        probabilities: by class.
        cancer_probability: None where the model's classes name no cancer.
    """

    reference: bytes | None = field(repr=False)
    predicted_class: str
    decision: str
    probabilities: dict[str, float]
    cancer_probability: float | None


@dataclass(frozen=True)
class ReportedStudy:
    """What the slices say together: `hilum.services.studies.Aggregate`, as far as it is reported."""

    slices: int
    used: int
    predicted_class: str
    probabilities: dict[str, float]
    cancer_probability: float | None


def write_report(
    slices: Sequence[ReportedSlice], *, model_version: str, hilum_version: str, study: ReportedStudy | None = None
) -> bytes:
    """Writes a Comprehensive SR about slices of one study.

    Args:
        slices: what is reported, the most suspicious first.
        model_version: that answered.
        hilum_version: of this software.
        study: what they say together; None for a single slice.

    Returns:
        A DICOM Part 10 file.

    Raises:
        ReportImpossible: a slice is no DICOM file, or names neither itself nor its study.
        Overloaded: the machine is too busy to write it in time.
    """
    shown = list(slices[:_MOST_SLICES])
    if not shown or any(one.reference is None for one in shown):
        raise ReportImpossible(UNNAMED)
    order = {
        "model_version": model_version,
        "hilum_version": hilum_version,
        "study": asdict(study) if study else None,
        "slices": [asdict(one) | {"reference": base64.b64encode(one.reference or b"").decode()} for one in shown],
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "hilum.services.report_writer"],
            input=json.dumps(order).encode(),
            capture_output=True,
            timeout=_LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Overloaded("the report took too long to write; try again in a moment") from None
    if done.returncode:
        raise ReportImpossible("the report could not be written from what the files say of themselves")
    return done.stdout
