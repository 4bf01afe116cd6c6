"""`hilum predict --study` and `--sr`: a series in a folder or zip, and reports. Thin like the command line itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hilum.command_inputs import read_input
from hilum.errors import InputRejected, ReportImpossible

if TYPE_CHECKING:
    from hilum.inference.predictor import Prediction, Predictor
    from hilum.services.structured_report import ReportedSlice
    from hilum.services.studies import SeriesAnswer, SliceAnswer, StudyAnswer


def predict_study(source: Path, predictor: Predictor, *, as_json: bool, report: Path | None) -> int:
    """Classifies the slices in a folder or zip, prints what they say together, and writes a report where one is asked.

    Returns:
        The exit code: 3 where no slice could be used.

    Raises:
        InputRejected: the zip cannot be trusted, or a report cannot be written.
    """
    from hilum.services.studies import HeaderReader, SliceAnswer, put_together

    headers = HeaderReader(with_references=report is not None)
    names: list[str] = []
    refused: list[dict[str, Any]] = []
    slices: list[SliceAnswer] = []
    found: dict[int, Prediction] = {}
    for index, (name, read) in enumerate(_files_of(source)):
        names.append(name)
        try:
            data = read()
            prediction = predictor.predict(data, name=name)
        except InputRejected as error:
            refused.append({"index": index, "file": name, "code": error.code, "detail": error.detail})
            continue
        found[index] = prediction
        header = headers.read(data)
        slices.append(SliceAnswer(index, header, prediction.probabilities, prediction.cancer_probability))
    if not slices:
        why = refused[0]["detail"] if refused else "there is none"
        raise InputRejected(f"no file of the study could be classified: {why}")
    study = put_together(slices)
    if as_json:
        click.echo(json.dumps({"series": [_row(one) for one in study.series], "warnings": list(study.warnings),
                               "files": names, "refused": refused}))  # fmt: skip
    else:
        _print(study, names, found, refused)
    if report is not None:
        _write_study_report(study, slices, found, report)
    return 0


def write_slice_report(slice_file: Path, predictor: Predictor, file: Path) -> None:
    """Writes a DICOM SR about one slice that was classified before.

    Raises:
        ReportImpossible: its file is no DICOM file, or does not say who and what it is.
    """
    from hilum.services.structured_report import write_report
    from hilum.services.studies import HeaderReader

    data = slice_file.read_bytes()
    prediction = predictor.predict(data)
    header = HeaderReader(with_references=True).read(data)
    slices = [_reported(prediction, header.reference if header else None)]
    file.write_bytes(write_report(slices, model_version=prediction.model_version, hilum_version=version("hilum")))
    click.echo(f"report written to {file}", err=True)


def _write_study_report(
    study: StudyAnswer, slices: Sequence[SliceAnswer], found: dict[int, Prediction], file: Path
) -> None:
    from hilum.services.structured_report import ReportedStudy, write_report

    if len(study.series) > 1:
        raise ReportImpossible("the files are of several series; a report is about one")
    aggregate = study.series[0].aggregate
    references = {one.index: one.header.reference if one.header else None for one in slices}
    shown = aggregate.most_suspicious or study.series[0].order
    told = ReportedStudy(**{one.name: getattr(aggregate, one.name) for one in fields(ReportedStudy)})
    report = write_report(
        [_reported(found[index], references[index]) for index in shown],
        model_version=found[shown[0]].model_version,
        hilum_version=version("hilum"),
        study=told,
    )
    file.write_bytes(report)
    click.echo(f"report written to {file}", err=True)


def _row(series: SeriesAnswer) -> dict[str, Any]:
    """As the API says it: for review, since no model is calibrated on series."""
    row = asdict(series)
    return row | {"aggregate": row["aggregate"] | {"decision": "review"}}


def _reported(prediction: Prediction, reference: bytes | None) -> ReportedSlice:
    from hilum.services.structured_report import ReportedSlice

    return ReportedSlice(
        reference,
        prediction.predicted_class,
        prediction.decision,
        prediction.probabilities,
        prediction.cancer_probability,
    )


def _files_of(source: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The files of a folder by name, or of a zip in its order, each read when asked; a zip is checked whole before."""
    from hilum.services.batch import STUDY_LIMITS, BatchFile, members_of

    if source.is_dir():
        for file in sorted(file for file in source.rglob("*") if file.is_file() and not file.name.startswith(".")):
            yield file.relative_to(source).as_posix(), partial(read_input, file)
        return
    try:
        archive = [BatchFile(source.read_bytes(), source.name)]
    except OSError as error:
        raise InputRejected(f"the study cannot be read: {error.strerror}") from error
    for _ in members_of(archive, STUDY_LIMITS):
        pass
    for member in members_of(archive, STUDY_LIMITS):
        yield member.name, partial(bytes, member.data)


def _print(
    study: StudyAnswer, names: Sequence[str], found: dict[int, Prediction], refused: list[dict[str, Any]]
) -> None:
    for number, series in enumerate(study.series, start=1):
        aggregate = series.aggregate
        cancer = "" if aggregate.cancer_probability is None else f", cancer {aggregate.cancer_probability:.3f}"
        over = f"the {aggregate.used} most suspicious of {aggregate.slices}" if aggregate.most_suspicious else "all"
        click.echo(f"series {number}: {aggregate.predicted_class}{cancer} by {over} slices; review")
        for index in aggregate.most_suspicious:
            one = found[index]
            cancer = "" if one.cancer_probability is None else f", cancer {one.cancer_probability:.3f}"
            click.echo(f"  {names[index]}: {one.predicted_class}{cancer}, {one.decision}")
        for warning in series.warnings:
            click.echo(f"  warning: {warning}")
    for warning in study.warnings:
        click.echo(f"warning: {warning}")
    for row in refused:
        click.echo(f"{row['file']}: refused, {row['code']}: {row['detail']}")
