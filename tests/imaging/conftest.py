"""The real slices, where this machine has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; tests that need it are skipped elsewhere."""
    folder = Path(os.environ.get("HILUM_DATA", Path(__file__).parents[3] / "shared/data"))
    if not folder.is_dir():
        pytest.skip("the real data is neither at HILUM_DATA nor at ../shared/data")
    return folder
