"""The model's input is nearly the same, however the slice was exported, cropped or placed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from hilum.imaging.body import find_body
from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import SOFT_TISSUE, Preprocessing, preprocess

SETTINGS = Preprocessing(side=64)
Tensor = NDArray[np.float32]


def likeness(a: Tensor, b: Tensor) -> float:
    """Correlation of two tensors' pixels."""
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@pytest.mark.parametrize("side", [32, 64, 256])
def test_the_tensor_is_a_float_square_between_0_and_1(side: int) -> None:
    tensor = preprocess(draw_phantom(1), Preprocessing(side=side))
    assert tensor.shape == (side, side, 1)
    assert tensor.dtype == np.float32
    assert tensor.min() == 0
    assert tensor.max() <= 1


@pytest.mark.parametrize("seed", range(3))
def test_lung_and_tissue_stand_at_their_levels_and_the_outside_is_black(seed: int) -> None:
    tensor = preprocess(draw_phantom(seed), Preprocessing(side=128, lung_level=0.2, tissue_level=0.6))[..., 0]
    assert np.median(tensor[(tensor > 0.1) & (tensor < 0.3)]) == pytest.approx(0.2, abs=0.01)
    assert np.median(tensor[(tensor > 0.5) & (tensor < 0.7)]) == pytest.approx(0.6, abs=0.01)
    assert tensor[0, 0] == tensor[0, -1] == tensor[-1, 0] == tensor[-1, -1] == 0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("side", "top", "left"), [(560, 40, 3), (800, 250, 100), (1024, 400, 300)])
def test_margin_and_offset_hardly_change_the_tensor(seed: int, side: int, top: int, left: int) -> None:
    picture = draw_phantom(seed)
    canvas = np.zeros((side, side), np.uint8)
    canvas[top : top + 512, left : left + 512] = picture
    alone, placed = preprocess(picture, SETTINGS), preprocess(canvas, SETTINGS)
    assert np.abs(alone - placed).mean() < 0.04  # the box moves by up to a cell of the search
    assert likeness(alone, placed) > 0.95


@pytest.mark.parametrize("seed", range(4))
def test_cropping_to_the_body_hardly_changes_the_tensor(seed: int) -> None:
    picture = draw_phantom(seed)
    body = find_body(picture)
    cropped = preprocess(picture[body.top : body.bottom, body.left : body.right], SETTINGS)
    whole = preprocess(picture, SETTINGS)
    assert np.abs(whole - cropped).mean() < 0.02
    assert likeness(whole, cropped) > 0.98


def test_a_table_changes_nothing_inside_the_body() -> None:
    picture = draw_phantom(2)
    picture[470:] = 0
    with_table = picture.copy()
    cv2.line(with_table, (40, 490), (470, 490), 110, 4)
    assert np.abs(preprocess(picture, SETTINGS) - preprocess(with_table, SETTINGS)).max() < 0.01


@settings(max_examples=15, deadline=None)
@given(gain=st.floats(0.3, 8), level=st.floats(-1024, 1024), seed=st.integers(0, 20))
def test_a_linear_change_of_grey_values_changes_nothing(gain: float, level: float, seed: int) -> None:
    picture = draw_phantom(seed, side=256).astype(np.float32)
    difference = np.abs(
        preprocess(picture, SETTINGS) - preprocess(picture * np.float32(gain) + np.float32(level), SETTINGS)
    )
    assert difference.mean() < 0.005
    assert np.quantile(difference, 0.99) < 0.02


@pytest.mark.parametrize("seed", range(4))
def test_a_saturated_lung_window_changes_only_what_it_saturates(seed: int) -> None:
    wide = draw_phantom(seed)
    lung_window = np.clip(wide.astype(np.float32) * 2 - 10, 0, 255).astype(np.uint8)  # soft tissue and bone at 255
    before, after = preprocess(wide, SETTINGS), preprocess(lung_window, SETTINGS)
    below_tissue = before < 0.65
    assert np.abs(before - after)[below_tissue].mean() < 0.01
    assert after.max() < 0.73 < 0.9 < before.max()  # bone is no brighter than tissue any more
    assert likeness(before, after) > 0.95


@pytest.mark.parametrize("seed", range(3))
def test_bytes_and_floats_agree(seed: int) -> None:
    picture = draw_phantom(seed)
    difference = np.abs(preprocess(picture, SETTINGS) - preprocess(picture.astype(np.float32), SETTINGS))
    assert np.quantile(difference, 0.99) < 0.01


def test_a_body_found_before_gives_the_same_tensor() -> None:
    picture = draw_phantom(5)
    assert np.array_equal(preprocess(picture, SETTINGS), preprocess(picture, SETTINGS, find_body(picture)))


def test_without_a_body_the_whole_picture_is_taken() -> None:
    picture = np.zeros((200, 200), np.uint8)
    picture[:, 190:] = 255  # a stripe, 5 % of the picture
    tensor = preprocess(picture, SETTINGS)[..., 0]
    assert (tensor[:, -2] > tensor[:, 2]).all()


def _one_bright_pixel() -> NDArray[np.uint8]:
    picture = np.zeros((64, 64), np.uint8)
    picture[20, 20] = 255
    return picture


def _checkerboard() -> NDArray[np.uint8]:
    return np.asarray((np.indices((40, 40)).sum(axis=0) % 2) * 255, np.uint8)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((16, 16), np.uint8),
        np.full((16, 500), 255, np.uint8),
        np.full((500, 16), 7, np.float32),
        draw_phantom(1, side=64)[24:40, 24:40],
        _one_bright_pixel(),
        _checkerboard(),
        np.full((64, 64), -1e30, np.float32),
        np.linspace(-1e6, 1e6, 64 * 64, dtype=np.float32).reshape(64, 64),
    ],
    ids=["black", "wide", "tall", "16-px", "one-pixel", "checkerboard", "very-negative", "wide-range"],
)
def test_degenerate_pictures_give_finite_tensors(picture: NDArray[np.uint8] | NDArray[np.float32]) -> None:
    tensor = preprocess(picture, SETTINGS)
    assert tensor.shape == (64, 64, 1)
    assert np.isfinite(tensor).all()
    assert tensor.min() >= 0
    assert tensor.max() <= 1


@settings(max_examples=40, deadline=None)
@given(height=st.integers(16, 90), width=st.integers(16, 90), levels=st.integers(1, 255), seed=st.integers(0, 999))
def test_no_picture_gives_values_outside_0_and_1(height: int, width: int, levels: int, seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, levels + 1, (height, width)).astype(np.uint8)
    tensor = preprocess(picture, Preprocessing(side=32))
    assert np.isfinite(tensor).all()
    assert 0 <= tensor.min() <= tensor.max() <= 1


@pytest.mark.parametrize("wrong", [{"side": 16}, {"side": 4096}, {"tissue_level": 1.5}, {"version": 2}, {"window": 40}])
def test_settings_outside_their_range_or_unknown_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Preprocessing.model_validate(wrong)


def test_what_is_darker_than_the_darkest_is_one_grey_inside_the_body_and_black_outside() -> None:
    plain = preprocess(draw_phantom(0), Preprocessing(side=128))[..., 0]
    floored = preprocess(draw_phantom(0), Preprocessing(side=128, darkest=0.4))[..., 0]
    assert np.allclose(floored[plain > 0.4], plain[plain > 0.4])
    inside = (plain > 0.1) & (plain < 0.4)
    assert inside.any()
    assert np.median(floored[inside]) == pytest.approx(0.4)
    assert floored[:4, :4].max() == 0


def test_a_lung_window_and_a_wide_one_of_a_slice_look_alike_to_new_models() -> None:
    wide = draw_phantom(1)
    hounsfield = (wide - 30.0) * (890 / 100) - 850
    lung_window = np.clip((hounsfield + 1350) * (255 / 1500), 0, 255).astype(np.uint8)
    settings = SOFT_TISSUE.model_copy(update={"side": 128})
    assert np.abs(preprocess(wide, settings) - preprocess(lung_window, settings)).mean() < 0.02
