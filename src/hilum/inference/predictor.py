"""Bytes in, calibrated answer out: the one path that the command line, the server and the evaluation share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hilum.imaging.body import Body, find_body
from hilum.imaging.decode import CtSlice, Limits, decode
from hilum.imaging.preprocess import preprocess
from hilum.imaging.quality import quality_warnings
from hilum.inference.bundle import open_bundle
from hilum.inference.calibration import calibrated_probabilities
from hilum.inference.engines import Engine
from hilum.inference.manifest import Manifest

_HARMLESS = frozenset({"extension-mismatch", "icc-profile-corrupt"})
"""Warnings that say nothing against the pixels; any other sends the slice to a person."""


@dataclass(frozen=True)
class Prediction:
    """The answer for one slice.

    Attributes:
        predicted_class: the most probable class.
        probabilities: calibrated, by class name in the model's order; they sum to 1.
        cancer_probability: sum over the cancer classes; None where the model's classes name none.
        decision: `confident`, or `review` below the operating point or where the input is doubtful.
        warnings: codes from decoding and of the input's quality.
        model_version: of the bundle that answered.
        activation_map: (h, w) float32 >= 0, what spoke for `predicted_class`, over the body's box.
        ct_slice: the decoded input.
        body: where the body was found in it.
    """

    predicted_class: str
    probabilities: dict[str, float]
    cancer_probability: float | None
    decision: Literal["confident", "review"]
    warnings: tuple[str, ...]
    model_version: str
    activation_map: NDArray[np.float32]
    ct_slice: CtSlice
    body: Body


class Predictor:
    """A verified bundle, loaded and warm. Safe to call from several threads."""

    def __init__(self, manifest: Manifest, engine: Engine) -> None:
        """Takes parts that fit together; `load` is the usual way in."""
        self.manifest = manifest
        self._engine = engine

    @classmethod
    def load(cls, directory: Path, *, threads: int = 1) -> Predictor:
        """Opens a bundle, checks its hashes and its golden predictions.

        Raises:
            BundleInvalid: a file is missing, altered, or answers differently.
        """
        bundle = open_bundle(directory)
        return cls(bundle.manifest, bundle.load_engine(threads=threads))

    def predict(self, data: bytes, *, name: str | None = None, limits: Limits | None = None) -> Prediction:
        """Classifies one encoded image or DICOM slice.

        Raises:
            InputRejected: the bytes are not a usable slice.
        """
        ct_slice = decode(data, name=name, limits=limits)
        return self.predict_slice(ct_slice)

    def predict_slice(self, ct_slice: CtSlice) -> Prediction:
        """Classifies a decoded slice."""
        manifest = self.manifest
        body = find_body(ct_slice.pixels)
        tensor = preprocess(ct_slice.pixels, manifest.preprocessing, body)
        output = self._engine.run(tensor[np.newaxis])
        probabilities = calibrated_probabilities(output.logits, manifest.temperature)[0]
        best = int(probabilities.argmax())
        by_class = dict(zip(manifest.class_names, probabilities.tolist(), strict=True))
        warnings = (*ct_slice.warnings, *quality_warnings(ct_slice.pixels, body))
        if not body.is_found:
            warnings = (*warnings, "body-not-found")
        is_doubtful = not _HARMLESS.issuperset(warnings)
        is_confident = probabilities[best] >= manifest.confident_above and not is_doubtful
        cancers = manifest.cancer_class_names
        return Prediction(
            predicted_class=manifest.class_names[best],
            probabilities=by_class,
            cancer_probability=min(1.0, sum(by_class[name] for name in cancers)) if cancers else None,
            decision="confident" if is_confident else "review",
            warnings=warnings,
            model_version=manifest.model_version,
            activation_map=np.maximum(output.activation_maps[0, :, :, best], 0),
            ct_slice=ct_slice,
            body=body,
        )
