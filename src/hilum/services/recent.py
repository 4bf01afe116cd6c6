"""The most recent predictions' pictures, in memory only. Knows no HTTP; nothing is written to disk."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.errors import PredictionNotFound
from hilum.inference.explain import Explanation, encode_png, explanation_of, grey_picture, heat_map_png, normalised_map
from hilum.inference.predictor import Prediction

KEPT = 64
PREVIEW_SIDE = 512


@dataclass(frozen=True)
class RecentPrediction:
    """What is kept of a prediction to show it.

    Attributes:
        explanation: its activation map and the body's box.
        preview: the decoded slice, uint8, at most `PREVIEW_SIDE` pixels long.
        predicted_class: whose activation the map shows.
    """

    explanation: Explanation
    preview: NDArray[np.uint8]
    predicted_class: str

    @classmethod
    def of(cls, prediction: Prediction) -> RecentPrediction:
        """Keeps only what the screen needs of `prediction`."""
        preview = grey_picture(prediction.ct_slice.pixels, max_side=PREVIEW_SIDE)
        return cls(explanation_of(prediction), preview, prediction.predicted_class)

    def slice_png(self, side: int = PREVIEW_SIDE) -> bytes:
        """The slice as a grey PNG, its long side at most `side`."""
        return encode_png(grey_picture(self.preview, max_side=side))

    def heat_map_png(self) -> bytes:
        """The heat map as an RGBA PNG of the slice's proportions."""
        return heat_map_png(self.explanation)

    def grid(self) -> list[list[float]]:
        """The activation map, (h, w), scaled so that its peak is 1."""
        rows: list[list[float]] = np.round(normalised_map(self.explanation.activation_map).astype(float), 4).tolist()
        return rows


class RecentPredictions:
    """A bounded store: the newest `kept` predictions. Safe to use from several threads."""

    def __init__(self, kept: int = KEPT) -> None:
        """Keeps at most `kept` predictions."""
        self._kept = kept
        self._by_id: OrderedDict[str, RecentPrediction] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, prediction_id: str, prediction: Prediction) -> None:
        """Keeps a prediction's pictures, forgetting the oldest beyond the limit."""
        recent = RecentPrediction.of(prediction)
        with self._lock:
            self._by_id[prediction_id] = recent
            while len(self._by_id) > self._kept:
                self._by_id.popitem(last=False)

    def get(self, prediction_id: str) -> RecentPrediction:
        """Finds a kept prediction.

        Raises:
            PredictionNotFound: no prediction has this id, or it is no longer kept.
        """
        with self._lock:
            recent = self._by_id.get(prediction_id)
        if recent is None:
            raise PredictionNotFound(
                f"only the {self._kept} most recent predictions are remembered; send the slice again"
            )
        return recent
