"""The decoder on real files: every slice decodes, each transfer syntax to the same pixels, each non-CT is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hilum.errors import InputRejected
from hilum.imaging.body import find_body
from hilum.imaging.decode import decode
from hilum.imaging.quality import quality_warnings

_NOT_AXIAL_CHEST_CT = {
    "MR_Implicit_Little.dcm": "dicom-modality",
    "OT_Implicit_Little_Headless.dcm": "unsupported-media-type",
    "US_Explicit_Big_RGB.dcm": "dicom-modality",
    "barre_CT_chest_SCOUT_topogram_JPEG70.dcm": "dicom-modality",
    "no-pixel-data.dcm": "dicom-no-pixels",
    "rtstruct.dcm": "dicom-no-pixels",
}


def _luma(data: bytes) -> np.ndarray:
    """Pillow's reading, an independent one: BT.601 luma with alpha composited onto black."""
    rgba = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"), np.float64)
    return rgba[..., :3] @ (0.299, 0.587, 0.114) * (rgba[..., 3] / 255)


def test_every_reference_test_slice_matches_an_independent_decoder(real_data: Path) -> None:
    paths = sorted((real_data / "chest-ct-scan-images/test").glob("*/*"))
    assert len(paths) == 315
    for path in paths:
        data = path.read_bytes()
        ct_slice = decode(data, name=path.name)
        assert ct_slice.pixels.dtype == np.uint8
        assert ct_slice.warnings == ()
        assert quality_warnings(ct_slice.pixels, find_body(ct_slice.pixels)) == ()
        assert np.abs(ct_slice.pixels - _luma(data)).max() <= 1


def test_jpegs_named_png_are_read_with_a_warning(real_data: Path) -> None:
    paths = sorted((real_data / "chest-ct-scan-images").glob("*/*/*"))
    found = [path for path in paths if decode(path.read_bytes(), name=path.name).warnings]
    assert len(found) == 4
    assert all(path.read_bytes().startswith(b"\xff\xd8") for path in found)


def test_other_centres_jpegs_decode(real_data: Path) -> None:
    for path in sorted((real_data / "iq-oth-nccd").glob("*/*")):
        ct_slice = decode(path.read_bytes(), name=path.name)
        assert quality_warnings(ct_slice.pixels, find_body(ct_slice.pixels)) == ()


@pytest.mark.parametrize("name", ["RLE", "JPLL", "JLSL", "J2KR"])
def test_lossless_transfer_syntaxes_give_identical_pixels(real_data: Path, name: str) -> None:
    folder = real_data / "dicom/ct1-transfer-syntaxes"
    plain = decode((folder / "CT1_UNC.dcm").read_bytes())
    other = decode((folder / f"CT1_{name}.dcm").read_bytes())
    assert np.array_equal(other.pixels, plain.pixels)
    assert other.warnings == ()


@pytest.mark.parametrize(("name", "mean_off"), [("JLSN", 1.0), ("J2KI", 4.0)])
def test_lossy_transfer_syntaxes_are_close_and_say_so(real_data: Path, name: str, mean_off: float) -> None:
    folder = real_data / "dicom/ct1-transfer-syntaxes"
    plain = decode((folder / "CT1_UNC.dcm").read_bytes())
    other = decode((folder / f"CT1_{name}.dcm").read_bytes())
    assert np.abs(other.pixels - plain.pixels).mean() < mean_off
    assert other.warnings == ("lossy-compression",)


def test_lidc_slices_show_hounsfield_units_on_the_fixed_window(real_data: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    paths = sorted((real_data / "dicom/lidc-idri-0003").glob("*.dcm"))
    assert len(paths) == 11
    for path in paths:
        ct_slice = decode(path.read_bytes(), name=path.name)
        source = pydicom.dcmread(path)
        hounsfield = source.pixel_array * float(source.RescaleSlope) + float(source.RescaleIntercept)
        expected = (np.clip(hounsfield, -1000, 400) + 1000) * 255 / 1400
        assert ct_slice.pixels.dtype == np.float32
        assert np.abs(ct_slice.pixels - expected).max() < 1e-3
        assert ct_slice.warnings == ()


@pytest.mark.parametrize(("name", "code"), _NOT_AXIAL_CHEST_CT.items())
def test_what_is_no_axial_ct_is_refused(real_data: Path, name: str, code: str) -> None:
    data = (real_data / "dicom/not-an-axial-chest-ct" / name).read_bytes()
    with pytest.raises(InputRejected) as caught:
        decode(data, name=name)
    assert caught.value.code == code


def test_a_head_ct_is_a_valid_ct_slice(real_data: Path) -> None:
    data = (real_data / "dicom/not-an-axial-chest-ct/barre_CT_brain.dcm").read_bytes()
    assert decode(data).pixels.shape == (512, 512)


def test_photographs_are_coloured(real_data: Path) -> None:
    photos = sorted((real_data / "not-chest-ct").glob("natural/*"))
    assert photos
    warned = [path for path in photos if "color-image" in decode(path.read_bytes()).warnings]
    assert len(warned) >= 0.6 * len(photos)
