"""Data sets of a few synthetic slices, and the real one where it is."""

from __future__ import annotations

import os
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


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The real reference data set, where this machine has it."""
    home = Path(os.environ.get("HILUM_DATA", Path(__file__).parents[3] / "shared/data"))
    folder = home / "chest-ct-scan-images"
    if not folder.is_dir():
        pytest.skip("the reference data set is neither at HILUM_DATA nor at ../shared/data")
    return folder
