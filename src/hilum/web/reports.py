"""Answers as DICOM SR, for who asks for `application/dicom`. Knows services, not how a report is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from importlib.metadata import version

from hilum.errors import Overloaded, ReportImpossible
from hilum.services.structured_report import UNNAMED, ReportedSlice, ReportedStudy, write_report
from hilum.services.studies import HeaderReader, SeriesAnswer, SliceAnswer
from hilum.web.schemas import BatchItem, PredictionAnswer

DICOM = "application/dicom"


def reference_of(data: bytes) -> bytes:
    """What identifies a slice, copied out of its file for as long as its report is written.

    Raises:
        ReportImpossible: it is no DICOM file, or does not say.
    """
    header = HeaderReader(with_references=True).read(data)
    if header is None or header.reference is None:
        raise ReportImpossible(UNNAMED)
    return header.reference


def report_of_slice(answer: PredictionAnswer, reference: bytes) -> bytes:
    """A report about one slice.

    Raises:
        ReportImpossible, Overloaded: it cannot be written, or not in time.
    """
    return _written([_reported(answer, reference)])


def report_of_study(series: SeriesAnswer, items: Sequence[BatchItem], slices: Sequence[SliceAnswer]) -> bytes:
    """A report about one series: what its slices say together, and the most suspicious of them one by one.

    Raises:
        ReportImpossible, Overloaded: it cannot be written, or not in time.
    """
    aggregate = series.aggregate
    headers = {one.index: one.header for one in slices}
    results = {item.index: item.result for item in items}
    shown = []
    for index in aggregate.most_suspicious or series.order:
        header, result = headers[index], results[index]
        if result is not None:
            shown.append(_reported(result, header.reference if header else None))
    study = ReportedStudy(**{one.name: getattr(aggregate, one.name) for one in fields(ReportedStudy)})
    return _written(shown, study)


def _reported(answer: PredictionAnswer, reference: bytes | None) -> tuple[str, ReportedSlice]:
    return answer.model_version, ReportedSlice(
        reference, answer.predicted_class, answer.decision, answer.probabilities, answer.cancer_probability
    )


def _written(answers: Sequence[tuple[str, ReportedSlice]], study: ReportedStudy | None = None) -> bytes:
    versions = {model for model, _ in answers}
    if len(versions) != 1:
        raise Overloaded("the model was exchanged while the study was read; send it again")
    slices = [one for _, one in answers]
    return write_report(slices, model_version=versions.pop(), hilum_version=version("hilum"), study=study)
