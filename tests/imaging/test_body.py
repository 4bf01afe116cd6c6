"""The body is found wherever it lies in the picture and however its grey values were exported."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hilum.imaging.body import Body, find_body
from hilum.imaging.decode import decode
from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import Preprocessing, preprocess

Slice = NDArray[np.uint8]


def paste(picture: Slice, side: int, top: int, left: int) -> Slice:
    """The picture on a black canvas."""
    canvas = np.zeros((side, side), np.uint8)
    canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return canvas


def edges(body: Body) -> NDArray[np.int64]:
    return np.array([body.top, body.bottom, body.left, body.right])


@pytest.mark.parametrize("seed", range(4))
def test_the_box_closes_around_the_body_and_leaves_the_table_out(seed: int) -> None:
    picture = draw_phantom(seed)
    body = find_body(picture)
    table = 0.93 * 512  # where the phantom's table begins at the earliest
    assert body.is_found
    assert body.bottom < table
    rows = np.flatnonzero((picture[: int(table)] > 60).any(axis=1))
    columns = np.flatnonzero((picture[: int(table) - 60] > 60).any(axis=0))
    drawn = [rows[0], columns[0], columns[-1] + 1]
    assert np.abs(np.array([body.top, body.left, body.right]) - drawn).max() <= 5  # a cell of the search is 3.2 px


@pytest.mark.parametrize("seed", range(4))
def test_the_anchors_are_the_phantoms_lung_and_tissue(seed: int) -> None:
    body = find_body(draw_phantom(seed))
    assert body.lung == pytest.approx(30, abs=2)
    assert body.tissue == pytest.approx(130, abs=2)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("side", "top", "left"), [(560, 40, 3), (700, 0, 188), (800, 250, 100), (1024, 400, 300)])
def test_the_body_is_found_wherever_it_lies_on_a_larger_canvas(seed: int, side: int, top: int, left: int) -> None:
    picture = draw_phantom(seed)
    alone, pasted = find_body(picture), find_body(paste(picture, side, top, left))
    assert pasted.is_found
    offset = np.array([top, top, left, left])
    assert np.abs(edges(pasted) - edges(alone) - offset).max() <= 1.5 * side / 160
    assert pasted.lung == pytest.approx(alone.lung, abs=2)
    assert pasted.tissue == pytest.approx(alone.tissue, abs=2)


@pytest.mark.parametrize("thickness", [2, 6])
def test_a_table_of_any_usual_thickness_is_left_out(thickness: int) -> None:
    picture = draw_phantom(2)
    alone = find_body(picture)
    canvas = paste(picture, 700, 60, 90)
    cv2.line(canvas, (60, 560), (640, 550), 110, thickness)
    assert np.abs(edges(find_body(canvas)) - edges(alone) - [60, 60, 90, 90]).max() <= 6


def test_lungs_that_touch_the_body_wall_stay_inside() -> None:
    picture = np.zeros((400, 400), np.uint8)
    cv2.ellipse(picture, (200, 200), (170, 120), 0, 0, 360, 130, cv2.FILLED)
    cv2.ellipse(picture, (110, 200), (82, 70), 0, 0, 360, 30, cv2.FILLED)  # through the wall on the left
    body = find_body(picture)
    assert body.is_found
    assert body.left <= 60
    assert body.lung == pytest.approx(30, abs=2)
    middle = body.mask[body.mask.shape[0] // 2]
    assert (middle[: middle.size // 2] > 0).mean() > 0.85  # the open lung lies in the hull


def test_a_cropped_body_fills_its_picture() -> None:
    picture = draw_phantom(1)
    body = find_body(picture)
    cropped = picture[body.top : body.bottom, body.left : body.right]
    height, width = cropped.shape
    assert np.abs(edges(find_body(cropped)) - [0, height, 0, width]).max() <= 4


@pytest.mark.parametrize("grey", [0, 1, 128, 255])
def test_a_uniform_picture_has_no_body(grey: int) -> None:
    body = find_body(np.full((300, 200), grey, np.uint8))
    assert not body.is_found
    assert edges(body).tolist() == [0, 300, 0, 200]


def test_a_small_bright_spot_is_no_body() -> None:
    picture = np.zeros((300, 300), np.uint8)
    cv2.circle(picture, (150, 150), 30, 200, cv2.FILLED)  # 3 % of the picture
    body = find_body(picture)
    assert not body.is_found
    assert edges(body).tolist() == [0, 300, 0, 300]
    assert (body.mask == 255).all()


def test_the_body_is_found_in_every_test_image(reference_data: Path) -> None:
    files = sorted(path for path in (reference_data / "test").rglob("*") if path.is_file())
    assert len(files) == 315
    missed = [path.name for path in files if not find_body(decode(path.read_bytes()).pixels).is_found]
    assert missed == []


def test_a_training_image_matches_itself_with_table_and_margin(reference_data: Path) -> None:
    # the test split keeps table and margin, the training split is cropped to the body: both must look alike
    files = sorted(path for path in (reference_data / "train").rglob("*") if path.is_file())[::40]
    settings = Preprocessing(side=96)
    cropped, pasted = [], []
    for path in files:
        pixels = decode(path.read_bytes()).pixels.astype(np.uint8)
        height, width = pixels.shape
        side = int(1.35 * max(height, width))
        canvas = np.zeros((side, side), np.uint8)
        canvas[side // 10 : side // 10 + height, side // 6 : side // 6 + width] = pixels
        table = side // 10 + height + side // 40
        cv2.line(canvas, (side // 8, table), (side - side // 8, table), 110, max(1, side // 200))
        cropped.append(preprocess(pixels, settings).ravel())
        pasted.append(preprocess(canvas, settings).ravel())
    n = len(files)
    correlation = np.corrcoef(np.array(cropped), np.array(pasted))[:n, n:]
    assert np.median(np.diag(correlation)) > 0.97
    assert (correlation.argmax(axis=1) == np.arange(n)).mean() >= 0.9


@pytest.mark.parametrize(("centre", "width"), [(40, 400), (-600, 1500), (0, 2500)])
@pytest.mark.parametrize("seed", range(4))
def test_the_body_is_the_same_in_every_window(seed: int, centre: float, width: float) -> None:
    wide = with_fat(draw_phantom(seed))
    hounsfield = (wide - 30.0) * (890 / 100) - 850  # the phantom's lung and tissue
    windowed = np.clip((hounsfield - (centre - width / 2)) * (255 / width), 0, 255).astype(np.uint8)
    expected, found = find_body(wide), find_body(windowed)
    assert found.is_found
    assert np.abs(edges(found) - edges(expected)).max() <= 2 * 512 / 160


def test_a_model_from_before_fat_was_separated_gets_the_body_it_was_trained_with() -> None:
    hounsfield = (with_fat(draw_phantom(1)) - 30.0) * (890 / 100) - 850
    narrow = np.clip((hounsfield + 160) * (255 / 400), 0, 255).astype(np.uint8)
    old, new = Preprocessing(), Preprocessing(separates_fat=True)
    assert np.array_equal(edges(old.body_of(narrow)), edges(find_body(narrow, separates_fat=False)))
    assert np.array_equal(edges(new.body_of(narrow)), edges(find_body(narrow)))
    assert np.abs(edges(old.body_of(narrow)) - edges(new.body_of(narrow))).max() > 10
    assert np.array_equal(preprocess(narrow, old), preprocess(narrow, old, old.body_of(narrow)))


def with_fat(picture: Slice) -> Slice:
    """The phantom with the skin's 12 pixels at the level of fat, between lung and soft tissue."""
    body = find_body(picture)
    inside = np.zeros(picture.shape, np.uint8)
    size = (body.right - body.left, body.bottom - body.top)
    inside[body.top : body.bottom, body.left : body.right] = cv2.resize(body.mask, size)
    core = cv2.erode(inside, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (49, 49)))
    fatty = picture.copy()
    fatty[(inside > 127) & (core < 128) & (picture > 100)] = 115  # about -90 HU
    return fatty
