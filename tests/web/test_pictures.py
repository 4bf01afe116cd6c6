"""The pictures of a prediction: at the size asked for, and in Hounsfield units for a window."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from web_serving import open_history, serving, tiny_service

from hilum.imaging.phantoms import draw_phantom
from hilum.services import recent
from hilum.services.history import History

_BONE_HU, _AIR_HU = 1500, -1000


def _dicom(photometric: str = "MONOCHROME2") -> bytes:
    """A slice with a pixel of bone, whose units lie beyond what the model sees."""
    hounsfield = (draw_phantom(5).astype(np.int32) * 5) + _AIR_HU
    hounsfield[100, 100] = _BONE_HU
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    file.SOPClassUID, file.SOPInstanceUID, file.Modality = CTImageStorage, meta.MediaStorageSOPInstanceUID, "CT"
    file.Rows, file.Columns = hounsfield.shape
    file.SamplesPerPixel, file.PhotometricInterpretation, file.PixelRepresentation = 1, photometric, 0
    file.BitsAllocated, file.BitsStored, file.HighBit = 16, 16, 15
    file.RescaleSlope, file.RescaleIntercept = "1", "-1024"
    file.PixelData = (hounsfield + 1024).astype("<u2").tobytes()
    written = io.BytesIO()
    file.save_as(written, enforce_file_format=True)
    return written.getvalue()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[History]:
    """An empty history."""
    history = open_history(f"sqlite:///{tmp_path / 'hilum.db'}", tmp_path / "blobs")
    yield history
    history.close()


@pytest.fixture
def client(tiny_bundle: Path, kept: History) -> Iterator[TestClient]:
    """A client of an app that keeps a history."""
    with serving(tiny_service(tiny_bundle), history=kept) as client:
        yield client


def _ask(client: TestClient, data: bytes) -> str:
    answer: dict[str, Any] = client.post("/predict", files={"file": ("slice", data)}).json()
    return str(answer["id"])


def _shape(client: TestClient, prediction_id: str, query: str = "") -> tuple[int, ...]:
    response = client.get(f"/predictions/{prediction_id}/slice{query}")
    assert response.status_code == 200
    shape: tuple[int, ...] = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_UNCHANGED).shape
    return shape


def test_a_slice_is_shown_at_the_size_asked_for(client: TestClient) -> None:
    large = cv2.resize(draw_phantom(1), (900, 900))
    prediction_id = _ask(client, cv2.imencode(".png", large)[1].tobytes())

    assert _shape(client, prediction_id) == (512, 512)
    assert _shape(client, prediction_id, "?side=96") == (96, 96)
    assert _shape(client, prediction_id, "?side=2048") == (900, 900)
    assert client.get(f"/predictions/{prediction_id}/slice?side=2049").status_code == 422


def test_a_slice_is_still_shown_once_forgotten_and_another_model_serves(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    prediction_id = _ask(client, cv2.imencode(".png", draw_phantom(1))[1].tobytes())
    monkeypatch.setattr(recent.RecentPredictions, "get", lambda self, key: (_ for _ in ()).throw(_not_found()))

    assert _shape(client, prediction_id) == draw_phantom(1).shape


def _not_found() -> Exception:
    from hilum.errors import PredictionNotFound

    return PredictionNotFound("forgotten")


def test_a_preview_serves_where_the_image_is_not_kept(tiny_bundle: Path, tmp_path: Path) -> None:
    history = open_history(f"sqlite:///{tmp_path / 'hilum.db'}", tmp_path / "blobs", keeps_images=False)
    with serving(tiny_service(tiny_bundle), history=history) as client:
        prediction_id = _ask(client, _dicom())
        assert _shape(client, prediction_id, "?side=2048") == draw_phantom(5).shape
        refused = client.get(f"/predictions/{prediction_id}/hounsfield.npy")
        assert (refused.status_code, refused.json()["code"]) == (410, "image-not-kept")


def test_a_dicom_slice_is_given_in_hounsfield_units(client: TestClient) -> None:
    response = client.get(f"/predictions/{_ask(client, _dicom())}/hounsfield.npy")

    assert response.headers["content-type"] == "application/octet-stream"
    values = np.load(io.BytesIO(response.content), allow_pickle=False)
    assert values.dtype == np.dtype("<i2")
    expected = (draw_phantom(5).astype(np.int32) * 5) + _AIR_HU
    expected[100, 100] = _BONE_HU
    np.testing.assert_array_equal(values, expected)


def test_greys_have_no_hounsfield_units(client: TestClient) -> None:
    for data in (cv2.imencode(".png", draw_phantom(1))[1].tobytes(), _dicom("MONOCHROME1")):
        refused = client.get(f"/predictions/{_ask(client, data)}/hounsfield.npy")
        assert (refused.status_code, refused.json()["code"]) == (409, "hounsfield-missing")
