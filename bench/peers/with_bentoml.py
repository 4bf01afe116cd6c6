"""BentoML with a worker process for each core: `bentoml serve bench.peers.with_bentoml:Slices`, bundle by variable."""

from __future__ import annotations

import os
from pathlib import Path

import bentoml

from bench.peers.classifier import Classifier


@bentoml.service(workers=int(os.environ["BENCH_CORES"]), threads=1, traffic={"timeout": 30, "max_concurrency": 1000})
class Slices:
    """One route, `POST /predict` with the part `file`."""

    def __init__(self) -> None:
        """Loads the model in the worker process."""
        self.classifier = Classifier(Path(os.environ["BENCH_BUNDLE"]))

    @bentoml.api
    def predict(self, file: Path) -> dict[str, object]:
        """Classifies a slice."""
        return self.classifier.classify(file.read_bytes())
