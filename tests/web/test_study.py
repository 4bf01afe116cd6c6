"""`POST /predict/study` and DICOM SR: answers of a series, in order, without a trace of whose it is."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from fastapi.testclient import TestClient
from web_serving import open_history, serving, tiny_service

from series_files import series_slice, zip_of

SR = {"accept": "application/dicom"}


@pytest.fixture
def client(tiny_bundle: Path, tmp_path: Path) -> Iterator[TestClient]:
    """A client of an app with a history."""
    history = open_history(f"sqlite:///{tmp_path / 'hilum.db'}", tmp_path / "blobs")
    with serving(tiny_service(tiny_bundle), history=history) as client:
        yield client


def send(client: TestClient, *files: bytes, headers: dict[str, str] | None = None) -> Any:
    """The answer for files."""
    sent = [("files", ("JANE.dcm", data)) for data in files]
    return client.post("/predict/study", files=sent, headers=headers or {})


def stored(client: TestClient) -> int:
    """How many predictions are kept."""
    return len(client.get("/predictions?limit=200").json()["items"])


def texts(dataset: pydicom.Dataset) -> str:
    """Everything a report says, in words."""
    return str(dataset)


def test_a_series_is_answered_slice_by_slice_and_summed_up(client: TestClient) -> None:
    files = [series_slice(n) for n in (2, 0, 3, 1)]
    response = send(client, zip_of(files))
    answer = response.json()

    assert response.status_code == 200
    assert answer["answered"] == 4
    (series,) = answer["series"]
    assert series["order"] == [1, 3, 0, 2]
    assert series["warnings"] == answer["warnings"] == []
    cancer = [item["result"]["cancer_probability"] for item in answer["items"]]
    ranked = sorted(range(4), key=lambda index: -cancer[index])[:3]
    aggregate = series["aggregate"]
    assert aggregate["most_suspicious"] == ranked
    assert aggregate["cancer_probability"] == pytest.approx(sum(cancer[index] for index in ranked) / 3)
    assert aggregate["decision"] == "review"
    alone = client.post("/predict", files={"file": ("a.dcm", files[0])}).json()
    assert answer["items"][0]["result"]["probabilities"] == alone["probabilities"]
    assert all(client.get(f"/predictions/{item['result']['id']}").status_code == 200 for item in answer["items"])
    assert send(client, *files).json()["series"][0]["order"] == [1, 3, 0, 2]
    assert not re.search("DOE|JANE|1961|1\\.2\\.3", response.text)


def test_mixed_patients_refused_slices_and_pictures_are_said(client: TestClient, slice_png: bytes) -> None:
    files = [series_slice(0), series_slice(1), series_slice(0, patient="ROE^RICHARD"), slice_png, b"no image"]
    answer = send(client, *files).json()

    assert answer["warnings"] == ["several-patients", "several-series", "slices-refused"]
    assert [one["order"] for one in answer["series"]] == [[0, 1], [2], [3]]
    assert answer["series"][2]["warnings"] == ["order-unknown"]
    assert answer["items"][4]["problem"]["code"] == "unsupported-media-type"
    assert (answer["answered"], answer["refused"]) == (4, 1)


def test_an_archive_that_cannot_be_trusted_leaves_nothing(client: TestClient) -> None:
    whole = bytearray(zip_of([series_slice(n) for n in range(3)]))
    place = whole.rindex(b"PK\x03\x04")
    whole[place + 200] ^= 0xFF  # inside the last member
    response = send(client, bytes(whole))

    assert (response.status_code, response.json()["code"]) == (422, "archive-corrupt")
    assert send(client, b"nothing", b"here").json()["code"] == "archive-no-usable-images"
    assert stored(client) == 0


def test_a_series_as_a_structured_report(client: TestClient, tmp_path: Path) -> None:
    response = send(client, zip_of([series_slice(n) for n in range(5)]), headers=SR)

    assert (response.status_code, response.headers["content-type"]) == (200, "application/dicom")
    report = pydicom.dcmread(io.BytesIO(response.content))
    assert (str(report.PatientName), report.PatientID) == ("DOE^JANE-19610704", "ID-DOE^JANE-19610704")
    assert (report.StudyInstanceUID, report.Modality, report.VerificationFlag) == ("1.2.3", "SR", "UNVERIFIED")
    words = texts(report)
    answer = client.get("/predictions?limit=1").json()["items"][0]["answer"]
    assert answer["model_version"] in words
    assert "not a medical device" in words
    assert words.count("1.2.3.4.5.") >= 3
    assert [client.get("/predictions").text.count(word) for word in ("DOE", "1.2.3.4.5")] == [0, 0]
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.name != "report.dcm":
            assert b"DOE" not in file.read_bytes()


def test_a_slice_as_a_structured_report(client: TestClient, tmp_path: Path) -> None:
    sent = {"file": ("a.dcm", series_slice(1, patient="M\xfcller^J\xf6rg", changes={0x00080005: ("CS", "ISO_IR 100")}))}
    response = client.post("/predict", files=sent, headers=SR)

    report = pydicom.dcmread(io.BytesIO(response.content))
    assert str(report.PatientName) == "Müller^Jörg"
    stored_answer = client.get("/predictions").json()["items"][0]["answer"]
    values = [float(value) for value in re.findall(r"Numeric Value +DS: '?([0-9.e-]+)'?", texts(report))]
    assert values[0] == pytest.approx(stored_answer["cancer_probability"], abs=1e-6)
    assert values[1:] == pytest.approx(list(stored_answer["probabilities"].values()), abs=1e-6)


def test_what_cannot_name_itself_gets_no_report_and_is_not_kept(client: TestClient, slice_png: bytes) -> None:
    for data in (
        slice_png,
        series_slice(0, changes={0x0020000D: None}),
        series_slice(0, changes={0x00080018: ("UI", "1.a")}),
    ):
        response = client.post("/predict", files={"file": ("a", data)}, headers=SR)
        assert (response.status_code, response.json()["code"]) == (422, "report-impossible")
    assert stored(client) == 0
    mixed = send(client, series_slice(0), series_slice(0, series="1.2.9"), headers=SR)
    assert mixed.json()["code"] == "report-impossible"


def test_values_that_are_none_are_left_empty_in_a_report(client: TestClient, tmp_path: Path) -> None:
    odd: dict[int, Any] = {
        0x00080020: ("DA", "yesterday"),
        0x00080030: ("TM", "noon"),
        0x00080090: ("PN", "a\x1b[31m\r\nb"),
        0x00100030: ("DA", "1961.7.4"),
        0x00100040: ("CS", "<b>"),
        0x00100020: ("LO", "x" * 900),
    }
    response = client.post("/predict", files={"file": ("a.dcm", series_slice(0, changes=odd))}, headers=SR)

    assert response.status_code == 200
    report = pydicom.dcmread(io.BytesIO(response.content))
    assert (report.PatientBirthDate, report.PatientSex, report.StudyDate, report.PatientID) == ("", "", "", "x" * 64)


def test_limits_of_a_study_are_told(client: TestClient) -> None:
    limits = client.get("/limits").json()
    assert (limits["study_files"], limits["study_body_bytes"]) == (1000, 200_000_000)


def test_one_study_at_a_time(client: TestClient) -> None:
    with client.app.state.context.studies.admitted():  # type: ignore[attr-defined]
        response = send(client, series_slice(0))
    assert (response.status_code, response.json()["code"]) == (503, "overloaded")


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is missing; Debian has it in dicom3tools")
def test_a_validator_finds_no_error_in_reports(client: TestClient, tmp_path: Path) -> None:
    whole = send(client, zip_of([series_slice(n) for n in range(4)]), headers=SR)
    single = client.post("/predict", files={"file": ("a.dcm", series_slice(1))}, headers=SR)
    for report in (whole, single):
        (tmp_path / "report.dcm").write_bytes(report.content)
        said = subprocess.run(["dciodvfy", str(tmp_path / "report.dcm")], capture_output=True, text=True, check=False)
        assert "ComprehensiveSR" in said.stderr
        assert not [line for line in said.stderr.splitlines() if line.startswith("Error")]
