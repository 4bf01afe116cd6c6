"""Drift is seen where there is some, and not where chance explains what is seen. H130."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from hilum.errors import BundleInvalid
from hilum.inference.input_reference import QUANTILES, InputReference
from hilum.services.drift import RecentInput, compare

NOW = datetime(2026, 11, 26, tzinfo=UTC)
VERSION = "tiny"


def drawn(n: int, seed: int, *, shift: float = 0.0, side: float = 512) -> list[dict[str, float]]:
    """Statistics of N slices of one site."""
    rng = np.random.default_rng(seed)
    return [{"grey_median": float(value + shift), "short_side": side} for value in rng.normal(80, 10, n)]


def recent(statistics: Sequence[dict[str, float]], classes: str = "ab", version: str = VERSION) -> list[RecentInput]:
    """Predictions a minute apart, of the classes in turn."""
    return [
        RecentInput(NOW - timedelta(minutes=at), version, classes[at % len(classes)], one)
        for at, one in enumerate(statistics)
    ]


@pytest.fixture(scope="module")
def reference() -> InputReference:
    """700 slices of a site, half of each class."""
    return InputReference.of(drawn(700, 1), ["a", "b"] * 350)


def test_no_drift_is_seen_where_there_is_none(reference: InputReference) -> None:
    alerts = 0
    for seed in range(100):
        report = compare(reference, recent(drawn(60, 100 + seed)), model_version=VERSION, threshold=0.1)
        alerts += report.status != "steady"
    assert alerts <= 2  # three tests of 0.1 % each in every report


@pytest.mark.parametrize("n", [60, 500])
def test_a_site_with_other_intensities_is_seen(reference: InputReference, n: int) -> None:
    report = compare(reference, recent(drawn(n, 2, shift=15)), model_version=VERSION, threshold=0.25)

    assert (report.status, report.alerts) == ("drift", ("grey_median",))
    shifted, side = report.inputs
    assert shifted.psi > 1
    assert shifted.ks == pytest.approx(0.55, abs=0.12)
    assert shifted.recent_median - shifted.reference_median == pytest.approx(15, abs=3)
    assert (side.psi, side.ks, side.is_alert) == (pytest.approx(0, abs=0.05), pytest.approx(0, abs=0.011), False)
    assert (report.since, report.until) == (NOW - timedelta(minutes=n - 1), NOW)


def test_another_size_is_seen_although_all_were_alike(reference: InputReference) -> None:
    report = compare(reference, recent(drawn(200, 3, side=256)), model_version=VERSION, threshold=0.25)
    assert report.alerts == ("short_side",)
    assert report.inputs[1].ks == pytest.approx(1, abs=0.011)


def test_other_classes_are_seen_and_other_models_left_out(reference: InputReference) -> None:
    steady = drawn(200, 4)
    one_class = compare(reference, recent(steady, "aaab"), model_version=VERSION, threshold=0.2)
    assert one_class.alerts == ("predicted_class",)
    assert one_class.predictions is not None
    assert one_class.predictions.recent == {"a": 0.75, "b": 0.25}
    new_class = compare(reference, recent(steady, "ac"), model_version=VERSION, threshold=0.25)
    assert new_class.predictions is not None
    assert set(new_class.predictions.recent) == {"a", "b", "c"}
    other = compare(reference, recent(steady, "aaab", "older"), model_version=VERSION, threshold=0.2)
    assert (other.predictions, other.status) == (None, "steady")


def test_too_few_and_no_reference_are_said(reference: InputReference) -> None:
    few = compare(reference, recent(drawn(49, 5)), model_version=VERSION, threshold=0.25)
    none = compare(None, recent(drawn(60, 5)), model_version=VERSION, threshold=0.25)
    empty = compare(reference, [], model_version=VERSION, threshold=0.25)
    assert (few.status, none.status, empty.status, empty.since) == ("too-few", "no-reference", "too-few", None)


def test_a_reference_is_kept_and_checked(reference: InputReference, tmp_path: Path) -> None:
    file = tmp_path / "inputs.json"
    reference.save(file)
    assert InputReference.load(file) == reference
    whole = file.read_text()
    for broken in (whole[:100], whole.replace('"n":700', '"n":0'), whole.replace('"a":0.5', '"a":0.9'), "[]"):
        file.write_text(broken)
        with pytest.raises(BundleInvalid):
            InputReference.load(file)
    with pytest.raises(ValueError, match="percentiles"):
        InputReference(n=1, statistics={"x": tuple(range(QUANTILES))[::-1]}, predicted_classes={"a": 1.0})
