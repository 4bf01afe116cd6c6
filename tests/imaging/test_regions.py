"""Every pixel has one region, and anatomy lies where it should, whatever the window."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hilum.imaging.body import find_body
from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.regions import REGIONS, divide

RIGHT, LEFT, MEDIASTINUM, WALL, OUTSIDE = range(5)
SEEDS = range(6)


def regions_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return divide(pixels, find_body(pixels))


@pytest.mark.parametrize("seed", SEEDS)
def test_each_pixel_has_one_region_and_each_region_pixels(seed: int) -> None:
    labels = regions_of(draw_phantom(seed))
    assert labels.shape == (512, 512)
    shares = np.bincount(labels.reshape(-1), minlength=len(REGIONS)) / labels.size
    assert len(shares) == len(REGIONS) == 5
    assert shares.sum() == pytest.approx(1)
    assert (shares > 0.03).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_anatomy_lies_where_it_should(seed: int) -> None:
    labels = regions_of(draw_phantom(seed))
    assert labels[250, 130] == RIGHT  # the patient's: the picture's left
    assert labels[250, 385] == LEFT
    assert labels[235, 266] == MEDIASTINUM  # the heart
    assert labels[345, 256] == MEDIASTINUM  # the vertebra
    assert labels[380, 256] == WALL
    assert (labels[:20] == OUTSIDE).all()
    assert labels[470, 256] == OUTSIDE  # under the table


def test_a_mirrored_slice_has_mirrored_regions() -> None:
    picture = draw_phantom(0)
    labels, mirrored = regions_of(picture), regions_of(np.ascontiguousarray(picture[:, ::-1]))[:, ::-1]
    swapped = np.array([LEFT, RIGHT, MEDIASTINUM, WALL, OUTSIDE])[mirrored]
    assert (swapped == labels).mean() > 0.98


def test_a_nodule_in_the_lung_belongs_to_the_lung() -> None:
    picture = draw_phantom(2, with_mass=False)
    cv2.circle(picture, (130, 250), 12, 128, cv2.FILLED)
    assert regions_of(picture)[250, 130] == RIGHT


def test_lung_and_mediastinal_windows_give_the_same_regions() -> None:
    picture = draw_phantom(4).astype(np.float32)
    wide = regions_of(picture.astype(np.uint8))
    for low, high in ((20, 150), (25, 135), (0, 255)):
        windowed = np.clip((picture - low) * 255 / (high - low), 0, 255).astype(np.uint8)
        assert (regions_of(windowed) == wide).mean() > 0.97


def test_a_slice_without_lungs_is_chest_wall_and_one_without_a_body_outside() -> None:
    abdomen = np.zeros((256, 256), np.uint8)
    cv2.ellipse(abdomen, (128, 128), (100, 80), 0, 0, 360, 130, cv2.FILLED)
    assert set(np.unique(regions_of(abdomen))) == {WALL, OUTSIDE}
    assert set(np.unique(regions_of(np.zeros((64, 64), np.uint8)))) == {OUTSIDE}
