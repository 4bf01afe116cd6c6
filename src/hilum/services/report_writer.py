"""The process that writes a DICOM SR: an order in JSON in, a Part 10 file out. Loads highdicom; says nothing else.

What it is given identifies patients, so an error ends it without a word but its type.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import uuid
import warnings
import zlib
from typing import Any

import highdicom
import pydicom
from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

_SCHEME = "99HILUM"
_NOTICE = "Research software, not a medical device; not a diagnosis"
_CLASSES = {
    "predicted_class": Code("predicted-class", _SCHEME, "Most probable class"),
    "decision": Code("decision", _SCHEME, "Whether a person must decide"),
}


def main() -> int:
    """Reads an order from standard input and writes the report to standard output."""
    warnings.simplefilter("ignore")
    try:
        report = write(json.loads(sys.stdin.buffer.read()))
    except Exception as error:  # noqa: BLE001 - a door; its words would name patients
        sys.stderr.write(type(error).__name__)
        return 1
    sys.stdout.buffer.write(report)
    return 0


def write(order: dict[str, Any]) -> bytes:
    """Writes the report that `hilum.services.structured_report.write_report` asks for."""
    evidence = [_dataset(one["reference"]) for one in order["slices"]]
    report = sr.ComprehensiveSR(
        evidence=evidence,
        content=_content(order, evidence)[0],
        series_instance_uid=highdicom.UID(),
        series_number=1,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="hilum",
        manufacturer_model_name="hilum",
        software_versions=order["hilum_version"],
        device_serial_number=order["model_version"][:64],
        series_description=_NOTICE,
        is_complete=False,
        is_verified=False,
    )
    out = io.BytesIO()
    report.save_as(out)
    return out.getvalue()


def _dataset(reference: str) -> Dataset:
    found = pydicom.dcmread(io.BytesIO(base64.b64decode(reference)))
    if not found.SpecificCharacterSet:
        del found.SpecificCharacterSet
    return found


def _content(order: dict[str, Any], evidence: list[Dataset]) -> sr.MeasurementReport:
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=highdicom.UID.from_uuid(str(uuid.uuid5(uuid.NAMESPACE_URL, f"hilum:{order['model_version']}"))),
        name="hilum",
        manufacturer_name="hilum",
        model_name=order["model_version"][:64],
    )
    observer = sr.ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    algorithm = sr.AlgorithmIdentification(name="hilum", version=f"{order['hilum_version']} {order['model_version']}")
    groups = [
        _group(answer, f"slice {number}", algorithm, [source])
        for number, (answer, source) in enumerate(zip(order["slices"], evidence, strict=True), start=1)
    ]
    if order["study"]:
        groups.insert(0, _group(order["study"], "study", algorithm, evidence[: order["study"]["used"]]))
    return sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_person_context=None, observer_device_context=observer),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )


def _group(
    answer: dict[str, Any], name: str, algorithm: sr.AlgorithmIdentification, sources: list[Dataset]
) -> sr.MeasurementsAndQualitativeEvaluations:
    said = [
        sr.QualitativeEvaluation(concept, _code(answer[field], answer[field].replace("_", " ")))
        for field, concept in _CLASSES.items()
        if field in answer
    ]
    figures = {"cancer": answer["cancer_probability"], **answer["probabilities"]}
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=highdicom.UID(), identifier=name),
        algorithm_id=algorithm,
        measurements=[_probability(of, value) for of, value in figures.items() if value is not None],
        qualitative_evaluations=said,
        source_images=[
            sr.SourceImageForMeasurementGroup(source.SOPClassUID, source.SOPInstanceUID) for source in sources
        ],
    )


def _probability(of: str, value: float) -> sr.Measurement:
    name = _code(of, f"Probability of {of.replace('_', ' ')}", prefix="p-")
    return sr.Measurement(name=name, value=round(value, 6), unit=codes.UCUM.NoUnits)


def _code(value: str, meaning: str, prefix: str = "") -> Code:
    """A code of hilum's own; values have at most 16 characters (PS3.3, 8.1), so longer ones end in their checksum."""
    short = prefix + value
    if len(short) > 16:
        short = f"{short[:7]}-{zlib.crc32(value.encode()):08x}"
    return Code(short, _SCHEME, meaning[:64])


if __name__ == "__main__":
    sys.exit(main())
