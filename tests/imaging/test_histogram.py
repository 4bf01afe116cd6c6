"""Percentiles from a histogram are those of the values themselves."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.imaging.histogram import histogram, percentile, percentiles, percentiles_of

_PERCENTS = (0, 0.5, 2, 5, 50, 95, 99.5, 100)


@pytest.mark.parametrize("size", [1, 2, 7, 160])
def test_percentiles_are_numpys_to_the_last_bit(size: int) -> None:
    for seed in range(20):
        grey = np.random.default_rng(seed).integers(0, 256 if seed % 2 else 5, (size, size), np.uint8)
        wanted = [float(value) for value in np.percentile(grey, _PERCENTS)]
        assert percentiles(histogram(grey), *_PERCENTS) == wanted
        assert percentile(histogram(grey), 95) == wanted[5]
        assert percentiles_of(grey, 5, 99.5) == percentiles_of(grey.astype(np.float32), 5, 99.5)


def test_only_what_the_mask_shows_is_counted() -> None:
    grey = np.array([[10, 20], [30, 40]], np.uint8)
    counts = histogram(grey, np.array([[255, 0], [0, 1]], np.uint8))
    assert np.flatnonzero(counts).tolist() == [10, 40]
