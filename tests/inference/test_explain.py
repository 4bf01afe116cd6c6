"""Heat maps lie where the activation was, at the slice's proportions."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.imaging.body import find_body
from hilum.imaging.decode import CtSlice
from hilum.imaging.phantoms import draw_phantom
from hilum.inference.explain import (
    Explanation,
    explanation_of,
    grey_picture,
    heat_map,
    heat_map_png,
    normalised_map,
    overlay_png,
)
from hilum.inference.predictor import Prediction


def _explanation(activation: np.ndarray, **changes: object) -> Explanation:
    fields = {"top": 100, "bottom": 400, "left": 50, "right": 450, "height": 512, "width": 512} | changes
    return Explanation(activation, np.full((30, 40), 255, np.uint8), **fields)  # type: ignore[arg-type]


def test_the_heat_lies_over_its_cell_of_the_body() -> None:
    activation = np.zeros((6, 8), np.float32)
    activation[1, 6] = 3

    heat = heat_map(_explanation(activation))

    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    assert 100 + 1 * 50 <= row < 100 + 2 * 50
    assert 50 + 6 * 50 <= column < 50 + 7 * 50
    assert heat.max() == pytest.approx(1, abs=0.1)
    assert not heat[:100].any()
    assert not heat[:, 450:].any()


def test_nothing_activated_is_wholly_transparent() -> None:
    picture = cv2.imdecode(
        np.frombuffer(heat_map_png(_explanation(np.zeros((4, 4), np.float32))), np.uint8), cv2.IMREAD_UNCHANGED
    )

    assert not picture[..., 3].any()


def test_the_picture_has_the_colours_and_the_opacity_of_the_heat() -> None:
    explanation = _explanation(np.array([[0, 1], [2, 4]], np.float32))
    heat = heat_map(explanation)

    picture = cv2.imdecode(np.frombuffer(heat_map_png(explanation), np.uint8), cv2.IMREAD_UNCHANGED)

    expected = cv2.applyColorMap(np.rint(heat * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    assert picture.shape == (512, 512, 4)
    assert (picture[..., :3] == expected).all()
    assert (picture[heat < 0.11][:, 3] == 0).all()
    assert picture[heat > 0.99][:, 3].min() > 250


def test_a_large_slice_gets_a_capped_heat_map_of_its_proportions() -> None:
    explanation = _explanation(np.ones((4, 4), np.float32), height=4096, width=2048)

    assert heat_map(explanation).shape == (1024, 512)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 3000),
    width=st.integers(1, 3000),
    box=st.tuples(*[st.floats(0, 1)] * 4),
    cells=st.tuples(st.integers(1, 12), st.integers(1, 12)),
)
def test_any_box_in_any_slice_can_be_drawn(
    height: int, width: int, box: tuple[float, ...], cells: tuple[int, int]
) -> None:
    top, left = int(box[0] * (height - 1)), int(box[1] * (width - 1))
    bottom, right = top + 1 + int(box[2] * (height - 1 - top)), left + 1 + int(box[3] * (width - 1 - left))
    activation = np.linspace(-1, 5, cells[0] * cells[1], dtype=np.float32).reshape(cells)

    heat = heat_map(
        _explanation(activation, top=top, bottom=bottom, left=left, right=right, height=height, width=width),
        max_side=128,
    )

    assert max(heat.shape) <= 128
    assert np.isfinite(heat).all()
    assert 0 <= heat.min() <= heat.max() <= 1


def test_normalising_survives_what_is_not_finite() -> None:
    assert normalised_map(np.array([[np.nan, 2], [-1, 1]], np.float32)).tolist() == [[0, 1], [0, 0.5]]


def test_grey_pictures_are_bytes_and_capped() -> None:
    deep = np.linspace(-5, 300, 600 * 300, dtype=np.float32).reshape(600, 300)

    picture = grey_picture(deep, max_side=512)

    assert picture.shape == (512, 256)
    assert picture.dtype == np.uint8
    assert (picture.min(), picture.max()) == (0, 255)


def test_the_overlay_keeps_the_slice_where_nothing_was_activated() -> None:
    pixels = draw_phantom(2)
    body = find_body(pixels)
    activation = np.zeros((5, 5), np.float32)
    activation[2, 2] = 1
    prediction = Prediction(
        predicted_class="normal",
        probabilities={"normal": 1.0},
        cancer_probability=None,
        decision="confident",
        prediction_set=("normal",),
        warnings=(),
        model_version="test",
        activation_map=activation,
        ct_slice=CtSlice(pixels, "png", "L"),
        body=body,
    )

    picture = cv2.imdecode(np.frombuffer(overlay_png(prediction), np.uint8), cv2.IMREAD_UNCHANGED)

    assert picture.shape == (512, 512, 3)
    shown = heat_map(explanation_of(prediction)) > 0.12
    assert (picture[~shown] == pixels[~shown][:, np.newaxis]).all()
    assert (picture[shown] != pixels[shown][:, np.newaxis]).any()
