"""Pictures that are no chest CT, drawn by a program: what no folder of examples has enough of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

_LETTERS = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;()      ")
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX)


def draw_screen(rng: np.random.Generator) -> Grey:
    """Text, a plot, a page with pictures or a table."""
    drawing: Callable[[np.random.Generator], Grey] = (_text, _plot, _page, _table)[int(rng.integers(4))]
    return drawing(rng)


def draw_pattern(rng: np.random.Generator) -> Grey:
    """Nothing at all: one grey, noise, a gradient, stripes, squares, blobs."""
    kind = int(rng.integers(6))
    height, width = (int(v) for v in rng.integers(100, 320, 2))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    field: NDArray[Any]
    if kind == 0:
        field = np.full((height, width), rng.uniform(0, 255)) + rng.standard_normal((height, width)) * rng.uniform(0, 2)
    elif kind == 1:
        noise = rng.standard_normal((height, width)).astype(np.float32)
        blur = rng.uniform(0.1, 12)
        field = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), blur), None, 0, 255, cv2.NORM_MINMAX)
    elif kind == 2:
        field = cv2.normalize(x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1), None, 0, 255, cv2.NORM_MINMAX)
    elif kind == 3:
        period = rng.uniform(4, 80)
        field = 127 + 127 * np.sign(np.sin(2 * np.pi * (x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1)) / period))
    elif kind == 4:
        cell = int(rng.integers(4, 60))
        field = 255.0 * ((x // cell + y // cell) % 2)
    else:
        field = np.zeros((height, width), np.float32) + rng.uniform(0, 80)
        for _ in range(int(rng.integers(1, 20))):
            centre = (int(rng.integers(width)), int(rng.integers(height)))
            axes = tuple(int(v) for v in rng.integers(4, max(6, width // 2), 2))
            cv2.ellipse(field, centre, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(0, 255)), cv2.FILLED)
    return np.clip(field, 0, 255).astype(np.uint8)


def draw_head(rng: np.random.Generator) -> Grey:
    """A head in CT: a bright ring of skull around brain with ventricles; often little air around it."""
    side = 256
    picture = np.zeros((side, side), np.float32)
    centre = (side // 2 + int(rng.integers(-12, 13)), side // 2 + int(rng.integers(-12, 13)))
    height = rng.uniform(0.33, 0.49) * side
    width = height * rng.uniform(0.7, 0.88)
    tilt = float(rng.uniform(-15, 15))
    brain, bone, scalp = rng.uniform(60, 150), rng.uniform(190, 255), rng.uniform(50, 110)
    skull = rng.uniform(0.05, 0.12)

    def ellipse(share: float, level: float) -> None:
        cv2.ellipse(picture, centre, (int(width * share), int(height * share)), tilt, 0, 360, level, cv2.FILLED)

    ellipse(1.0, scalp)
    ellipse(0.97, bone)
    ellipse(0.97 - skull, brain)
    tissue = cv2.GaussianBlur(rng.standard_normal((side, side)).astype(np.float32), (0, 0), rng.uniform(2, 7))
    picture += tissue / max(float(tissue.std()), 1e-6) * rng.uniform(2, 10) * (picture == brain)
    for sign in (-1, 1):  # lateral ventricles
        at = (
            centre[0] + int(sign * rng.uniform(0.06, 0.14) * width),
            centre[1] + int(rng.uniform(-0.15, 0.15) * height),
        )
        axes = (max(1, int(rng.uniform(0.03, 0.1) * width)), max(1, int(rng.uniform(0.1, 0.3) * height)))
        cv2.ellipse(picture, at, axes, tilt - sign * 12, 0, 360, brain * rng.uniform(0.4, 0.85), cv2.FILLED)
    cv2.line(
        picture,
        (centre[0], int(centre[1] - 0.85 * height)),
        (centre[0], int(centre[1] + 0.85 * height)),
        brain * 1.15,
        1,
    )
    if rng.random() < 0.4:  # the base of the skull: bone and sinuses
        for _ in range(int(rng.integers(3, 9))):
            spot = [int(v) for v in centre + rng.uniform(-0.5, 0.5, 2) * (width, height)]
            size = [int(v) for v in rng.uniform(0.04, 0.2, 2) * height]
            level = float(rng.choice([0, 10, bone]))
            cv2.ellipse(picture, spot, size, float(rng.uniform(0, 180)), 0, 360, level, cv2.FILLED)
    if rng.random() < 0.5:  # the head rest
        cv2.ellipse(
            picture, centre, (int(width * 1.2), int(height * 1.12)), tilt, 40, 140, float(rng.uniform(80, 200)), 2
        )
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 1.2))
    return np.clip(picture + rng.standard_normal(picture.shape) * rng.uniform(0, 6), 0, 255).astype(np.uint8)


def draw_abdomen(rng: np.random.Generator) -> Grey:
    """An axial abdomen or pelvis in CT: a wide body of soft organs, spine and a little bowel gas, no lung."""
    side = 256
    picture = np.zeros((side, side), np.float32)
    width, height = rng.uniform(0.32, 0.47) * side, rng.uniform(0.2, 0.34) * side
    centre = np.array([side / 2, side * rng.uniform(0.42, 0.55)])
    fat, tissue, bone = rng.uniform(30, 110), rng.uniform(115, 150), rng.uniform(170, 230)

    def ellipse(x: float, y: float, across: float, down: float, level: float, *, tilt: float = 0.0) -> None:
        at = (int(centre[0] + x * width), int(centre[1] + y * height))
        axes = (max(1, int(across * width)), max(1, int(down * height)))
        cv2.ellipse(picture, at, axes, tilt, 0, 360, float(level), cv2.FILLED)

    wall = rng.uniform(0.75, 0.95)
    ellipse(0, 0, 1, 1, fat)
    ellipse(0, 0, wall, wall, tissue)
    ellipse(0, 0, wall - 0.06, wall - 0.08, fat if rng.random() < 0.6 else tissue)
    for _ in range(int(rng.integers(4, 14))):  # organs and loops
        x, y = rng.uniform(-0.6, 0.6), rng.uniform(-0.6, 0.5)
        level, tilt = tissue + rng.uniform(-12, 35), rng.uniform(0, 180)
        ellipse(x, y, rng.uniform(0.08, 0.4), rng.uniform(0.1, 0.45), level, tilt=tilt)
    for _ in range(int(rng.integers(0, 7))):  # bowel gas
        ellipse(rng.uniform(-0.5, 0.5), rng.uniform(-0.7, 0.1), rng.uniform(0.02, 0.22), rng.uniform(0.03, 0.25), 5)
    ellipse(0, rng.uniform(0.4, 0.6), 0.13, 0.17, bone)
    ellipse(0, 0.72, 0.05, 0.07, tissue)
    if rng.random() < 0.35:  # the pelvis: hips or iliac wings on both sides
        for sign in (-1, 1):
            ellipse(
                sign * rng.uniform(0.5, 0.7), rng.uniform(0, 0.4), rng.uniform(0.04, 0.2), rng.uniform(0.1, 0.35), bone
            )
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.6, 1.6))
    inside = picture > 20
    return np.clip(picture + inside * rng.standard_normal(picture.shape) * rng.uniform(1, 8), 0, 255).astype(np.uint8)


def _words(rng: np.random.Generator, longest: int) -> str:
    return "".join(rng.choice(_LETTERS, int(rng.integers(3, longest))))


def _text(rng: np.random.Generator) -> Grey:
    height, width = (int(v) for v in rng.integers(120, 320, 2))
    page, ink = (int(rng.integers(200, 256)), int(rng.integers(0, 80)))
    if rng.random() < 0.25:
        page, ink = ink, page
    picture = np.full((height, width), page, np.uint8)
    size = rng.uniform(0.25, 2.5)
    step = int(size * 26) + 4
    for baseline in range(step, height, step):
        if rng.random() < 0.85:
            at = (int(rng.integers(2, 30)), baseline)
            cv2.putText(picture, _words(rng, 50), at, _FONTS[int(rng.integers(4))], size, ink, max(1, round(size)))
    return np.rot90(picture, int(rng.integers(4))).copy() if rng.random() < 0.4 else picture


def _plot(rng: np.random.Generator) -> Grey:
    height, width = (int(v) for v in rng.integers(160, 320, 2))
    page, ink = (255, 20) if rng.random() < 0.75 else (25, 230)
    picture = np.full((height, width), page, np.uint8)
    left, bottom, right, top = int(0.12 * width), int(0.88 * height), int(0.95 * width), int(0.08 * height)
    cv2.rectangle(picture, (left, top), (right, bottom), ink, 1)
    style = int(rng.integers(4))
    n = int(rng.integers(5, 60))
    across = np.linspace(left + 2, right - 2, n)
    for _ in range(int(rng.integers(1, 5))):
        shade = int(rng.integers(0, 200)) if page > 128 else int(rng.integers(80, 256))
        values = np.clip(np.cumsum(rng.standard_normal(n)) / np.sqrt(n) / 4 + 0.5, 0.02, 0.98)
        points = np.column_stack([across, bottom - values * (bottom - top)]).astype(np.int32)
        if style == 0:
            cv2.polylines(picture, [points], isClosed=False, color=shade, thickness=int(rng.integers(1, 3)))
        elif style == 1:
            for x, y in points:
                cv2.circle(picture, (int(x), int(y)), 2, shade, cv2.FILLED)
        elif style == 2:
            bar = max(1, int((right - left) / n * 0.7))
            for x, y in points:
                cv2.rectangle(picture, (int(x), int(y)), (int(x) + bar, bottom), shade, cv2.FILLED)
        else:
            cells = rng.integers(0, 256, (int(rng.integers(3, 16)), int(rng.integers(3, 16)))).astype(np.uint8)
            picture[top:bottom, left:right] = cv2.resize(
                cells, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST
            )
    for share in np.linspace(0, 1, 5):
        cv2.putText(picture, f"{share:.2f}", (2, int(bottom - share * (bottom - top))), _FONTS[0], 0.3, ink, 1)
        cv2.putText(picture, f"{share:.1f}", (int(left + share * (right - left)), height - 4), _FONTS[0], 0.3, ink, 1)
    return picture


def _page(rng: np.random.Generator) -> Grey:
    height, width = (int(v) for v in rng.integers(160, 320, 2))
    picture = np.full((height, width), int(rng.choice([255, 245, 230, 200, 30])), np.uint8)
    cv2.rectangle(picture, (0, 0), (width, int(rng.uniform(0.04, 0.2) * height)), int(rng.integers(0, 200)), cv2.FILLED)
    for _ in range(int(rng.integers(2, 14))):
        x, y = int(rng.uniform(0, 0.85) * width), int(rng.uniform(0.15, 0.9) * height)
        across, down = int(rng.uniform(0.08, 0.4) * width), int(rng.uniform(0.05, 0.3) * height)
        if rng.random() < 0.5:
            patch = cv2.resize(draw_pattern(rng), (across, down))
            room = picture[y : y + down, x : x + across]
            room[:] = patch[: room.shape[0], : room.shape[1]]
        else:
            cv2.rectangle(picture, (x, y), (x + across, y + down), int(rng.integers(0, 256)), int(rng.choice([-1, 1])))
        cv2.putText(picture, _words(rng, 20), (x, y), _FONTS[0], rng.uniform(0.25, 0.6), int(rng.integers(0, 256)), 1)
    return picture


def _table(rng: np.random.Generator) -> Grey:
    height, width = (int(v) for v in rng.integers(160, 320, 2))
    picture = np.full((height, width), 250, np.uint8)
    rows, columns = (int(v) for v in rng.integers(3, 14, 2))
    for row in range(rows + 1):
        cv2.line(picture, (0, row * height // rows), (width, row * height // rows), 120, 1)
        for column in range(columns):
            at = (column * width // columns + 3, row * height // rows - 4)
            cv2.putText(picture, _words(rng, 7), at, _FONTS[0], 0.35, 20, 1)
    for column in range(columns + 1):
        cv2.line(picture, (column * width // columns, 0), (column * width // columns, height), 120, 1)
    return picture
