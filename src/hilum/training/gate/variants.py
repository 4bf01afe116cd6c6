"""Random variants of whole pictures, as exports, screenshots and cameras vary. Knows no model and no data set."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.imaging.body import find_body

Grey = NDArray[np.uint8]

WORKING_SIDE = 320
"""Long side the pictures are kept at while they are varied: three times what the gate looks at."""


def reduced(pixels: NDArray[np.uint8] | NDArray[np.float32]) -> Grey:
    """A decoded picture at `WORKING_SIDE`, 8 bits."""
    scale = min(1.0, WORKING_SIDE / max(pixels.shape))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(small), 0, 255).astype(np.uint8)


def section_variant(grey: Grey, rng: np.random.Generator) -> Grey:
    """A cross-section (CT or MRI) under another window, crop, field of view, position and export.

    Args:
        grey: (H, W) a slice.
        rng: the source of chance.

    Returns:
        (H', W') another picture of the same anatomy, rotated by at most 15 degrees.
    """
    varied = _rewindowed(grey, rng) if rng.random() < 0.7 else _brightness(grey, rng)
    if rng.random() < 0.5:
        varied = _cropped_to_body(varied, rng)
    if rng.random() < 0.5:
        varied = _on_field_of_view(varied, rng)
    if rng.random() < 0.6:
        varied = _deformed(varied, rng)
    varied = _moved(varied, rng, degrees=15)
    if rng.random() < 0.5:
        varied = varied[:, ::-1]
    if rng.random() < 0.2:  # a patient lying on the belly
        varied = varied[::-1]
    if rng.random() < 0.25:
        varied = _annotated(np.ascontiguousarray(varied), rng)
    if rng.random() < 0.12:
        varied = _framed(np.ascontiguousarray(varied), rng)
    return _exported(np.ascontiguousarray(varied), rng)


def picture_variant(grey: Grey, rng: np.random.Generator) -> Grey:
    """Any other picture, cropped, mirrored, framed and exported otherwise."""
    height, width = grey.shape
    keep = rng.uniform(0.6, 1.0, 2)
    rows, columns = max(8, int(height * keep[0])), max(8, int(width * keep[1]))
    top, left = int(rng.integers(0, height - rows + 1)), int(rng.integers(0, width - columns + 1))
    varied = grey[top : top + rows, left : left + columns]
    varied = _moved(_brightness(varied, rng), rng, degrees=10)
    if rng.random() < 0.5:
        varied = varied[:, ::-1]
    if rng.random() < 0.25:
        border = int(max(varied.shape) * rng.uniform(0.03, 0.3))
        varied = cv2.copyMakeBorder(
            np.ascontiguousarray(varied),
            border,
            border,
            border,
            border,
            cv2.BORDER_CONSTANT,
            value=int(rng.choice([0, 0, 255])),
        )
    return _exported(np.ascontiguousarray(varied), rng)


def lung_share(grey: Grey) -> float:
    """How much of the body is darker than midway between lung and soft tissue."""
    body = find_body(grey)
    box = grey[body.top : body.bottom, body.left : body.right]
    inside = cv2.resize(body.mask, (box.shape[1], box.shape[0]), interpolation=cv2.INTER_NEAREST) > 0
    return float((box[inside] < (body.lung + body.tissue) / 2).mean())


def without_lungs(grey: Grey, rng: np.random.Generator) -> Grey:
    """A chest slice whose lungs are filled with soft tissue: the same scanner, window and table, no chest.

    Source and style then cannot tell the gate what the slice shows; a few gas bubbles stay, as in a bowel.
    """
    body = find_body(grey)
    filled = grey[body.top : body.bottom, body.left : body.right].astype(np.float32)
    inside = cv2.resize(body.mask, (filled.shape[1], filled.shape[0]), interpolation=cv2.INTER_NEAREST) > 0
    is_air = ((filled < (body.lung + body.tissue) / 2) & inside).astype(np.uint8)
    radius = max(1, round(0.012 * max(grey.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    is_air = cv2.morphologyEx(is_air, cv2.MORPH_CLOSE, kernel)
    texture = _soft_organs(filled.shape, rng) * (body.tissue - body.lung) + body.lung
    for _ in range(int(rng.integers(0, 6))):
        centre = tuple(int(v) for v in rng.uniform((0.2, 0.1), (0.8, 0.75)) * filled.shape[::-1])
        axes = tuple(int(v) for v in rng.uniform(0.01, 0.09, 2) * max(grey.shape))
        tilt = float(rng.uniform(0, 180))
        cv2.ellipse(is_air, centre, axes, tilt, 0, 360, 0, cv2.FILLED)
        cv2.ellipse(filled, centre, axes, tilt, 0, 360, float(body.lung), cv2.FILLED)
    soft = cv2.GaussianBlur(is_air.astype(np.float32), (0, 0), 0.8)
    out = grey.copy()
    blended = filled * (1 - soft) + texture * soft
    out[body.top : body.bottom, body.left : body.right] = np.clip(blended, 0, 255).astype(np.uint8)
    return out


def _soft_organs(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Organs, and often fat between them: 1 is soft tissue, 0 lung."""
    size = max(shape)
    field = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), rng.uniform(0.02, 0.08) * size)
    field /= max(float(field.std()), 1e-6)
    organs = 1 + np.float32(rng.uniform(0.02, 0.15)) * field
    if rng.random() < 0.6:
        edge = np.clip((field - rng.uniform(-0.8, 0.6)) * rng.uniform(3, 12), 0, 1)
        organs = edge * organs + (1 - edge) * np.float32(rng.uniform(0.3, 0.85))
    return np.asarray(organs + np.float32(0.02) * rng.standard_normal(shape), np.float32)


def _rewindowed(grey: Grey, rng: np.random.Generator) -> Grey:
    """Between a lung window, which saturates soft tissue, and a mediastinal one, which blackens the lungs."""
    body = find_body(grey)
    span = max(body.tissue - body.lung, 8.0)
    is_mediastinal = rng.random() < 0.3
    low = body.lung + span * (rng.uniform(0.3, 0.8) if is_mediastinal else rng.uniform(-0.4, 0.6))
    high = body.tissue + span * (rng.uniform(0.1, 0.8) if is_mediastinal else rng.uniform(-0.1, 1.5))
    high = max(high, low + 0.3 * span)
    return np.clip((grey.astype(np.float32) - low) * (255 / (high - low)), 0, 255).astype(np.uint8)


def _brightness(grey: Grey, rng: np.random.Generator) -> Grey:
    scaled = np.power(grey.astype(np.float32) / 255, np.exp(rng.uniform(-0.4, 0.4)))
    low, high = rng.uniform(0, 0.15), rng.uniform(0.6, 1.0)
    return np.asarray((low + scaled * (high - low)) * 255, np.uint8)


def _cropped_to_body(grey: Grey, rng: np.random.Generator) -> Grey:
    body = find_body(grey)
    height, width = body.bottom - body.top, body.right - body.left
    top, bottom, left, right = rng.uniform(-0.04, 0.1, 4) * (height, height, width, width)
    return grey[
        max(0, int(body.top - top)) : int(body.bottom + bottom), max(0, int(body.left - left)) : int(body.right + right)
    ]


def _on_field_of_view(grey: Grey, rng: np.random.Generator) -> Grey:
    """A square reconstruction around the body: margins, perhaps a table below and a dark corner outside the circle."""
    height, width = grey.shape
    side = int(max(height, width) * rng.uniform(1.0, 1.5))
    background = int(np.percentile(np.concatenate([grey[0], grey[-1]]), 10))
    canvas = np.full((side, side), min(background, 60), np.uint8)
    top, left = int((side - height) * rng.uniform(0.2, 0.8)), (side - width) // 2
    canvas[top : top + height, left : left + width] = grey
    if rng.random() < 0.6 and top + height < side - 6:
        depth = int(rng.integers(top + height + 2, side - 2))
        brightness, sag = int(rng.integers(60, 256)), int(rng.uniform(-0.08, 0.08) * side)
        across = np.linspace(0.05, 0.95, 40)
        curve = np.column_stack([across * side, depth + sag * (4 * (across - 0.5) ** 2 - 1)]).astype(np.int32)
        cv2.polylines(canvas, [curve], isClosed=False, color=brightness, thickness=max(1, side // 160))
    if rng.random() < 0.5:
        circle = np.zeros_like(canvas)
        cv2.circle(circle, (side // 2, side // 2), side // 2, 1, cv2.FILLED)
        canvas *= circle
    return canvas


def _moved(grey: Grey, rng: np.random.Generator, *, degrees: float) -> Grey:
    if rng.random() < 0.4:
        return grey
    height, width = grey.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-degrees, degrees), rng.uniform(0.9, 1.1))
    matrix[:, 2] += rng.uniform(-0.05, 0.05, 2) * (width, height)
    stretch = np.diag([rng.uniform(0.88, 1.12), 1.0]) @ matrix
    return cv2.warpAffine(np.ascontiguousarray(grey), stretch, (width, height), borderValue=int(grey[0].min()))


def _deformed(grey: Grey, rng: np.random.Generator) -> Grey:
    """Smoothly displaced, so that few patients stand for more of them."""
    height, width = grey.shape
    coarse = rng.standard_normal((2, 5, 5)).astype(np.float32) * np.float32(rng.uniform(0.005, 0.035) * max(grey.shape))
    across, down = (cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC) for field in coarse)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return cv2.remap(
        np.ascontiguousarray(grey), x + across, y + down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _framed(grey: Grey, rng: np.random.Generator) -> Grey:
    """A thin frame, as figures of papers have."""
    border = max(1, int(max(grey.shape) * rng.uniform(0.005, 0.06)))
    return cv2.copyMakeBorder(
        grey, border, border, border, border, cv2.BORDER_CONSTANT, value=int(rng.choice([0, 255, 255]))
    )


def _annotated(grey: Grey, rng: np.random.Generator) -> Grey:
    """Text and lines as viewers burn them in."""
    height, width = grey.shape
    for _ in range(int(rng.integers(1, 6))):
        text = "".join(rng.choice(list("0123456789ABCDEFLR:.- "), int(rng.integers(1, 14))))
        at = (
            int(rng.uniform(0, 0.7) * width),
            int(rng.choice([rng.uniform(0.03, 0.12), rng.uniform(0.9, 0.99)]) * height),
        )
        cv2.putText(
            grey, text, at, cv2.FONT_HERSHEY_SIMPLEX, width / rng.uniform(700, 1200), int(rng.integers(150, 256)), 1
        )
    if rng.random() < 0.5:
        ends = (rng.uniform(0, 1, (2, 2)) * (width, height)).astype(int)
        cv2.line(grey, tuple(map(int, ends[0])), tuple(map(int, ends[1])), int(rng.choice([0, 255])), 1)
    return grey


def _exported(grey: Grey, rng: np.random.Generator) -> Grey:
    """Resized, noisy or compressed with loss."""
    if rng.random() < 0.4:
        scale = rng.uniform(72, WORKING_SIDE) / max(grey.shape)
        if scale < 1:
            size = (max(8, int(grey.shape[1] * scale)), max(8, int(grey.shape[0] * scale)))
            grey = cv2.resize(grey, size, interpolation=int(rng.choice([cv2.INTER_AREA, cv2.INTER_LINEAR])))
    if rng.random() < 0.3:
        noise = rng.standard_normal(grey.shape) * rng.uniform(1, 12)
        grey = np.clip(grey + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        grey = cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.4, 1.5))
    if rng.random() < 0.5:
        _, coded = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 95))])
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return grey
