"""The gate: what it sees, what it refuses, what it says, and when it must not be trusted."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from gated_bundle import SIDE, gate_settings, gated_copy, tiny_gate
from hilum.errors import BundleInvalid, NotAChestCt
from hilum.imaging.overview import overview_of
from hilum.imaging.phantoms import draw_phantom
from hilum.inference.bundle import copy_gate, gate_of, open_bundle
from hilum.inference.gate import GATE, UNUSUAL, gate_picture, overview_picture
from hilum.inference.gate_manifest import CHEST, GateGolden, GateManifest
from hilum.inference.predictor import Predictor


def bright() -> np.ndarray:
    """A picture that the tiny gate takes for a photo: white with a few dark dots, so that its stretch stays."""
    picture = np.full((120, 160), 255, np.uint8)
    picture[::10, ::10] = 0
    return np.pad(picture, ((20, 20), (0, 0)), constant_values=255)


def doubtful() -> np.ndarray:
    """A square picture whose mean is 0.62."""
    picture = np.zeros((100, 100), np.uint8)
    picture[:62] = 255
    return picture


def png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


@pytest.fixture
def gated(tiny_bundle: Path, tmp_path: Path) -> Path:
    return gated_copy(tiny_bundle, tmp_path / "gated")


def test_sees_the_whole_picture_centred_on_black() -> None:
    wide = np.full((50, 100), 200, np.uint8)
    wide[:, :50] = 40
    seen = gate_picture(wide, 64)
    assert seen.shape == (64, 64, 1)
    assert seen.dtype == np.float32
    assert not seen[:16].any()
    assert not seen[48:].any()
    assert seen[16:48, :30].max() == 0
    assert seen[16:48, 34:].min() == 1


def test_brightness_and_contrast_do_not_matter() -> None:
    phantom = draw_phantom(3).astype(np.float32)
    assert gate_picture(phantom * 0.4 + 20, 96) == pytest.approx(gate_picture(phantom, 96), abs=1e-4)


def test_a_picture_of_one_grey_does_not_become_noise() -> None:
    assert gate_picture(np.full((80, 80), 120, np.uint8), 32).max() == 0


def test_an_overview_is_seen_like_the_picture_it_was_made_of() -> None:
    phantom = draw_phantom(3, side=480)[:320]
    from_overview, direct = overview_picture(overview_of(phantom), 64), gate_picture(phantom, 64)
    assert from_overview.shape == direct.shape
    assert np.abs(from_overview - direct).mean() < 0.02
    assert np.array_equal(from_overview.any(axis=1), direct.any(axis=1))


def test_an_overview_of_one_grey_does_not_become_noise() -> None:
    grain = np.random.default_rng(0).integers(119, 122, (200, 200), np.uint8)
    assert overview_picture(overview_of(grain), 32).max() <= 0.25 + 1e-6


def test_a_gate_sees_what_it_was_fitted_on(tmp_path: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (410, 300), np.uint8)
    of_picture, of_overview = (tiny_gate(tmp_path, sees_overview=sees).judge(picture) for sees in (False, True))
    assert of_picture.score != of_overview.score
    at_hand = tiny_gate(tmp_path, sees_overview=True).judge(picture, overview=overview_of(picture))
    assert at_hand == of_overview


def test_other_pictures_are_refused_in_words(tmp_path: Path) -> None:
    gate = tiny_gate(tmp_path)
    with pytest.raises(NotAChestCt, match=r"looks like a photo, not like an axial chest CT slice") as caught:
        gate.admit(bright())
    refusal = caught.value
    assert (refusal.code, refusal.status, refusal.exit_code) == ("not-a-chest-ct", 422, 3)
    assert refusal.reasons[0] == "looks like a photo"
    assert refusal.limit == 0.1
    assert refusal.actual is not None
    assert refusal.actual < 0.1


def test_a_picture_that_just_reaches_what_is_needed_passes(tmp_path: Path) -> None:
    score = tiny_gate(tmp_path).judge(draw_phantom(3)).score
    limits = (score, float(np.nextafter(score, 1)))
    refusing = [tiny_gate(tmp_path, refuse_below=limit, unusual_below=0).judge(draw_phantom(3)) for limit in limits]
    assert [verdict.is_refused for verdict in refusing] == [False, True]
    unusual = [tiny_gate(tmp_path, refuse_below=0, unusual_below=limit).judge(draw_phantom(3)) for limit in limits]
    assert [verdict.is_unusual for verdict in unusual] == [False, True]


def test_chest_slices_pass_and_doubtful_pictures_pass_with_a_warning(tmp_path: Path) -> None:
    gate = tiny_gate(tmp_path)
    assert gate.admit(draw_phantom(5)) == ()
    assert gate.admit(doubtful()) == (UNUSUAL,)
    assert gate.judge(doubtful()).is_unusual


def test_the_predictor_asks_the_gate_first(gated: Path, slice_png: bytes) -> None:
    predictor = Predictor.load(gated)
    assert UNUSUAL not in predictor.predict(slice_png).warnings
    with pytest.raises(NotAChestCt):
        predictor.predict(png(bright()))


def test_an_unusual_picture_is_for_review(gated: Path) -> None:
    prediction = Predictor.load(gated).predict(png(doubtful()))
    assert UNUSUAL in prediction.warnings
    assert prediction.decision == "review"


def test_every_labelled_picture_can_be_answered_for_a_measurement(gated: Path) -> None:
    prediction = Predictor.load(gated, answers_all=True).predict(png(bright()))
    assert UNUSUAL in prediction.warnings


def test_a_bundle_without_a_gate_answers_everything(tiny_bundle: Path) -> None:
    assert gate_of(tiny_bundle) is None
    assert UNUSUAL not in Predictor.load(tiny_bundle).predict(png(bright())).warnings


def test_a_gate_that_judges_its_phantoms_otherwise_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match="golden phantom 1"):
        tiny_gate(tmp_path, golden=(GateGolden(phantom_seed=1, chest_score=0.5),))


def test_a_damaged_gate_is_not_served(gated: Path) -> None:
    (gated / GATE).write_bytes(b"not a graph")
    with pytest.raises(BundleInvalid, match="damaged"):
        open_bundle(gated)
    with pytest.raises(BundleInvalid, match="damaged"):
        gate_of(gated)


def test_a_gate_without_its_hash_is_not_served(gated: Path) -> None:
    manifest = gated / "manifest.json"
    digest = open_bundle(gated).manifest.files[GATE]
    manifest.write_text(manifest.read_text().replace(f'"{GATE}": "{digest}",', ""))
    with pytest.raises(BundleInvalid, match="no hash for its gate"):
        open_bundle(gated)


def test_a_new_bundle_inherits_the_gate(gated: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    assert copy_gate(gated, folder) == gate_settings()
    assert (folder / GATE).read_bytes() == (gated / GATE).read_bytes()


def test_from_a_bundle_without_a_gate_nothing_is_inherited(tiny_bundle: Path, tmp_path: Path) -> None:
    assert copy_gate(tiny_bundle, tmp_path) is None
    assert not (tmp_path / GATE).exists()


def test_a_damaged_classifier_does_not_keep_the_gate_from_being_inherited(gated: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(gated, broken)
    (broken / "model.onnx").unlink()
    assert gate_of(broken) == gate_settings()


@pytest.mark.parametrize(
    "changes",
    [
        {"kinds": ("natural", "screens")},
        {"kinds": (CHEST,)},
        {"words": {CHEST: "a slice"}},
        {"refuse_below": 0.7},
    ],
)
def test_a_section_that_contradicts_itself_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"kinds|words|unusual_below"):
        GateManifest.model_validate(gate_settings().model_dump() | changes)


def test_pictures_of_any_shape_are_judged(tmp_path: Path) -> None:
    gate = tiny_gate(tmp_path)
    rng = np.random.default_rng(0)
    for shape in ((32, 32), (33, 700), (900, 40), (SIDE, SIDE)):
        verdict = gate.judge((rng.random(shape) * 255).astype(np.float32))
        assert 0 <= verdict.score <= 1
        assert verdict.looks_like == "a photo"
