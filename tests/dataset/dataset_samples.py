"""Synthetic slices, and folders and zips of them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.imaging.phantoms import draw_phantom

WriteImages = Callable[[Iterable[str]], Path]


def draw_distinct(seed: int) -> NDArray[np.uint8]:
    """A phantom with large random shapes in it: two seeds never look like copies, as two phantoms may."""
    picture = draw_phantom(seed, side=128)
    rng = np.random.default_rng(seed)
    for _ in range(9):
        x, y, radius = (int(v) for v in rng.integers((30, 45, 5), (98, 83, 14)))
        cv2.circle(picture, (x, y), radius, int(rng.choice((30, 100, 170))), cv2.FILLED)
    return np.asarray(cv2.GaussianBlur(picture, (7, 7), 0), np.uint8)


def encode(picture: NDArray[np.uint8], suffix: str = ".png") -> bytes:
    """The picture as the bytes of an image file."""
    _, encoded = cv2.imencode(suffix, picture)
    return encoded.tobytes()


def zip_folder(folder: Path, target: Path) -> Path:
    """Packs a folder's content."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return target
