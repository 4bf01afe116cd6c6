"""Data sets of a few synthetic slices, and the real one where it is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from dataset_samples import WriteImages, draw_distinct, encode


@pytest.fixture
def write_images(tmp_path: Path) -> WriteImages:
    """Writes a different image to each of the paths given, below one folder."""

    def write(paths: Iterable[str]) -> Path:
        root = tmp_path / "slices"
        for seed, path in enumerate(paths):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(encode(draw_distinct(seed)))
        return root

    return write
