"""LitServe with a worker process for each core: `python -m bench.peers.with_litserve BUNDLE PORT CORES`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import litserve

from bench.peers.classifier import Classifier


class Slices(litserve.LitAPI):
    """The contract of LitServe: set up, decode, predict, encode."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's signature
        """Loads the model in the worker process."""
        self.classifier = Classifier(Path(sys.argv[1]))

    def decode_request(self, request) -> Any:  # type: ignore[no-untyped-def] # a type would make it a query parameter
        """The file's bytes."""
        return request["file"].file.read()

    def predict(self, data: bytes) -> dict[str, object]:
        """Classifies a slice."""
        return self.classifier.classify(data)

    def encode_response(self, output: dict[str, object]) -> dict[str, object]:
        """The answer."""
        return output


if __name__ == "__main__":
    server = litserve.LitServer(
        Slices(api_path="/predict"), accelerator="cpu", devices=1, workers_per_device=int(sys.argv[3]), timeout=30
    )
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="error")
