"""Data sets of drawn slices in which no two are near copies and the class can be learnt."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.imaging.phantoms import draw_phantom


def draw_varied(seed: int, label: int) -> NDArray[np.uint8]:
    """A phantom with random organs, so that no two are near copies; its label shows as discs in the lungs."""
    picture = draw_phantom(seed, side=128, with_mass=False)
    body = picture > 20
    rng = np.random.default_rng(seed)
    for _ in range(12):
        x, y, radius = (int(v) for v in rng.integers((25, 30, 6), (105, 95, 16)))
        cv2.circle(picture, (x, y), radius, int(rng.integers(25, 220)), cv2.FILLED)
    for _ in range(3 * label):
        x, y = (int(v) for v in rng.integers((35, 45), (93, 83)))
        cv2.circle(picture, (x, y), 5, 250, cv2.FILLED)
    picture[~body & (draw_phantom(seed, side=128, with_mass=False) == 0)] = 0
    return picture


def write_dataset(root: Path, counts: dict[str, dict[str, int]], *, seed: int = 0) -> Path:
    """Writes `<split>/<class>/<n>.png` for the counts by split and class; seeds follow `seed`, one a slice."""
    for split, classes in counts.items():
        for label, (name, count) in enumerate(sorted(classes.items())):
            (root / split / name).mkdir(parents=True)
            for index in range(count):
                seed += 1
                cv2.imwrite(str(root / split / name / f"{index}.png"), draw_varied(seed, label))
    return root
