"""The squares that `bench.scaling` sends are the middles of slices, of the side asked for, and all different."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench import machine, scaling
from hilum.imaging.phantoms import draw_phantom


@pytest.fixture
def slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Three drawn slices between white margins."""
    files = [tmp_path / f"{seed}.png" for seed in range(3)]
    for seed, file in enumerate(files):
        wide = np.full((200, 300), 255, np.uint8)
        wide[:, 50:250] = draw_phantom(seed, side=200)
        cv2.imwrite(str(file), wide)
    monkeypatch.setattr(machine, "data_folder", lambda: tmp_path)
    monkeypatch.setattr(machine, "test_files", lambda _: files)
    return files


@pytest.mark.parametrize("side", [100, 400])
def test_squares_are_the_middles(slices: list[Path], tmp_path: Path, side: int) -> None:
    made = scaling._squares(tmp_path / str(side), side, len(slices))
    pictures = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in made]
    assert [picture.shape for picture in pictures] == [(side, side)] * 3
    assert len({picture.tobytes() for picture in pictures}) == 3
    for seed, picture in enumerate(pictures):
        again = cv2.resize(picture, (200, 200), interpolation=cv2.INTER_AREA).astype(int)
        assert np.abs(again - draw_phantom(seed, side=200)).mean() < 10
