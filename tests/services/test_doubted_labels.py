"""Labels that the served model doubts (row H123): flagged one by one, and held back where a batch is full of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hilum.inference.predictor import Prediction, Predictor
from hilum.services.datasets import Datasets
from hilum.services.image_reading import IncomingFile
from labelled_samples import drawn_png, incoming, opened_datasets


class SurePredictor:
    """Answers `normal` whatever it is shown."""

    def __init__(self, bundle: Path, probability: float = 0.97) -> None:
        self._inner = Predictor.load(bundle)
        self.manifest = self._inner.manifest
        rest = (1 - probability) / 3
        self._probabilities = {name: probability if name == "normal" else rest for name in self.manifest.class_names}

    def predict(self, data: bytes, **options: Any) -> Prediction:
        """The inner model's prediction with the answer exchanged."""
        found = self._inner.predict(data, **options)
        return replace(found, predicted_class="normal", probabilities=self._probabilities)


@pytest.fixture
def datasets(tmp_path: Path) -> Iterator[Datasets]:
    """An empty store."""
    with opened_datasets(f"sqlite:///{tmp_path / 'hilum.db'}", tmp_path / "blobs") as opened:
        yield opened


def batch(flipped: int, right: int, first: int = 0) -> list[IncomingFile]:
    """So many slices with a label the model doubts, then so many with its own."""
    names = ["adenocarcinoma"] * flipped + ["normal"] * right
    return incoming(*((drawn_png(first + seed), name) for seed, name in enumerate(names)))


def judged(datasets: Datasets, files: list[IncomingFile], predictor: Any, source: Any = "upload") -> list[str]:
    """Status and code of each file, in one word."""
    items = datasets.add(files, source=source, predictor=predictor).items
    return [f"{item['status']} {item['code'] or ''}".strip() for item in items]


@pytest.mark.parametrize(
    ("flipped", "right", "expected"),
    [
        (1, 9, "accepted label-doubted"),
        (4, 2, "accepted label-doubted"),  # too few to speak of a share
        (5, 20, "accepted label-doubted"),
        (6, 20, "quarantined label-doubted"),
        (8, 12, "quarantined label-doubted"),
    ],
)
def test_doubted_labels(datasets: Datasets, tiny_bundle: Path, flipped: int, right: int, expected: str) -> None:
    found = judged(datasets, batch(flipped, right), SurePredictor(tiny_bundle))

    assert found == [expected] * flipped + ["accepted"] * right
    trained = sum(row.count for row in datasets.distribution())
    assert trained == right + (flipped if expected.startswith("accepted") else 0)


def test_a_model_that_is_not_sure_doubts_nothing(datasets: Datasets, tiny_bundle: Path) -> None:
    assert set(judged(datasets, batch(8, 2), SurePredictor(tiny_bundle, 0.39))) == {"accepted"}
    assert set(judged(datasets, batch(8, 2, first=50), SurePredictor(tiny_bundle, 0.8))) == {"accepted"}


def test_an_import_is_flagged_and_not_held_back(datasets: Datasets, tiny_bundle: Path) -> None:
    found = judged(datasets, batch(8, 2), SurePredictor(tiny_bundle), source="import")
    assert found == ["accepted label-doubted"] * 8 + ["accepted"] * 2
