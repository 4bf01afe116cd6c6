"""What every server here computes for a slice: the bundle's graph behind hilum's decoding and preprocessing.

No gate, no quality checks, no history: the other servers get less to do than hilum does.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from hilum.imaging.decode import decode
from hilum.imaging.preprocess import preprocess
from hilum.inference.bundle import open_bundle
from hilum.inference.calibration import calibrated_probabilities


class Classifier:
    """A loaded bundle."""

    def __init__(self, directory: Path) -> None:
        """Loads the bundle, one core a call."""
        cv2.setNumThreads(1)
        bundle = open_bundle(directory)
        self._manifest = bundle.manifest
        self._engine = bundle.load_engine(threads=1)

    def classify(self, data: bytes) -> dict[str, object]:
        """The classes' probabilities for one encoded slice."""
        tensor = preprocess(decode(data).pixels, self._manifest.preprocessing)
        logits = self._engine.run(tensor[np.newaxis]).logits
        probabilities = calibrated_probabilities(logits, self._manifest.temperature)[0]
        by_class = dict(zip(self._manifest.class_names, probabilities.tolist(), strict=True))
        return {"predicted_class": max(by_class, key=by_class.__getitem__), "probabilities": by_class}
