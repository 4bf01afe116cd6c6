"""Draws the pairs of a finding side by side, whole and cropped to the body. Knows pixels, decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hilum.dataset.audit.finding import Pair
from hilum.imaging.body import find_body
from hilum.imaging.decode import decode

_TILE, _GAP, _CAPTION = 220, 6, 40
_PAPER, _INK = 245, 30
_LONGEST = 110


def montage_png(root: Path, pairs: Sequence[Pair]) -> bytes:
    """A row for each pair: the two files as they are, then their bodies; captions above.

    Args:
        root: the data set's.
        pairs: at least one; their files must be readable.

    Returns:
        The picture as PNG.
    """
    rows = [_row(root, pair) for pair in pairs]
    _, encoded = cv2.imencode(".png", np.concatenate(rows))
    return bytes(encoded.tobytes())


def _row(root: Path, pair: Pair) -> NDArray[np.uint8]:
    tiles = []
    bodies = []
    for path in (pair.left, pair.right):
        pixels = decode((root / path).read_bytes()).pixels
        grey = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
        body = find_body(grey)
        tiles.append(_fitted(grey))
        bodies.append(cv2.resize(grey[body.top : body.bottom, body.left : body.right], (_TILE, _TILE * 3 // 4)))
    width = 4 * _TILE + 5 * _GAP
    row = np.full((_CAPTION + _TILE + _GAP, width), _PAPER, np.uint8)
    for place, tile in enumerate((*tiles, *bodies)):
        left = _GAP + place * (_TILE + _GAP)
        height, across = tile.shape
        top = _CAPTION + (_TILE - height) // 2
        row[top : top + height, left + (_TILE - across) // 2 : left + (_TILE - across) // 2 + across] = tile
    _write(row, f"{_short(pair.left)}  |  {_short(pair.right)}", 15)
    _write(row, f"{pair.note}; right, the bodies", 33)
    return row


def _fitted(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = _TILE / max(grey.shape)
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def _write(row: NDArray[np.uint8], words: str, baseline: int) -> None:
    plain = words.encode("ascii", "replace").decode()
    cv2.putText(row, plain[:_LONGEST], (_GAP, baseline), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)


def _short(path: str) -> str:
    parts = path.split("/")
    return "/".join([*(part[:16] for part in parts[:-1]), parts[-1]])
