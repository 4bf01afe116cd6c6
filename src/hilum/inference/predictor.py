"""Bytes in, calibrated answer out: the one path that the command line, the server and the evaluation share."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.groups import fingerprint_of
from hilum.dataset.sketch import sketch_of
from hilum.errors import LookAlikesMissing
from hilum.imaging.body import Body
from hilum.imaging.decode import CtSlice, Decode, Limits, decode
from hilum.imaging.overview import Overview, overview_of
from hilum.imaging.preprocess import preprocess
from hilum.imaging.quality import quality_warnings
from hilum.imaging.statistics import statistics_of
from hilum.inference.bundle import open_bundle
from hilum.inference.calibration import calibrated_probabilities, prediction_set
from hilum.inference.engines import Engine
from hilum.inference.gate import Gate
from hilum.inference.manifest import Manifest
from hilum.inference.neighbours import LookAlike, Neighbours, TrainingMatch

TRAINING_IMAGE = "training-image"
"""The warning that a model was trained on the very slice it is asked about."""

_HARMLESS = frozenset({"extension-mismatch", "icc-profile-corrupt", TRAINING_IMAGE})
"""Warnings that say nothing against the pixels; any other sends the slice to a person."""


@dataclass(frozen=True)
class Prediction:
    """The answer for one slice.

    Attributes:
        predicted_class: the most probable class.
        probabilities: calibrated, by class name in the model's order; they sum to 1.
        cancer_probability: sum over the cancer classes; None where the model's classes name none.
        decision: `confident`, or `review` below the operating point, where the prediction set has more than one class,
            or where the input is doubtful.
        prediction_set: the classes that cannot be ruled out at the bundle's coverage, most probable first.
        warnings: codes from decoding and of the input's quality.
        model_version: of the bundle that answered.
        activation_map: (h, w) float32 >= 0, what spoke for `predicted_class`, over the body's box.
        ct_slice: the decoded input.
        body: where the body was found in it.
        features: (F,) float32, what the model's head read; None where its graph does not give them.
        training_match: `same-file` where the model was trained on this file, `same-slice` where on this slice under
            another crop (looked for only with look-alikes); None where it was not, or the bundle cannot tell.
        look_alikes: the training slices most like this one, where they were asked for.
        image_sha256: of the file that was sent; empty where the slice came decoded.
        statistics: what describes the input, by name (`hilum.imaging.statistics`).
    """

    predicted_class: str
    probabilities: dict[str, float]
    cancer_probability: float | None
    decision: Literal["confident", "review"]
    prediction_set: tuple[str, ...]
    warnings: tuple[str, ...]
    model_version: str
    activation_map: NDArray[np.float32]
    ct_slice: CtSlice
    body: Body
    features: NDArray[np.float32] | None = None
    training_match: TrainingMatch | None = None
    look_alikes: tuple[LookAlike, ...] | None = None
    image_sha256: str = ""
    statistics: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """What is said of the slice, in JSON's types; pictures and features are not."""
        return {
            "predicted_class": self.predicted_class,
            "probabilities": self.probabilities,
            "cancer_probability": self.cancer_probability,
            "decision": self.decision,
            "prediction_set": list(self.prediction_set),
            "warnings": list(self.warnings),
            "model_version": self.model_version,
            "training_match": self.training_match,
            **({} if self.look_alikes is None else {"look_alikes": [asdict(one) for one in self.look_alikes]}),
        }


@dataclass(frozen=True)
class TensorAnswers:
    """What the model says of many preprocessed slices.

    Attributes:
        probabilities: (N, C) float64, calibrated.
        activation_maps: (N, h, w, C) float32, signed.
    """

    probabilities: NDArray[np.float64]
    activation_maps: NDArray[np.float32]


class Predictor:
    """A verified bundle, loaded and warm. Safe to call from several threads."""

    def __init__(
        self,
        manifest: Manifest,
        engine: Engine,
        *,
        neighbours: Neighbours | None = None,
        gate: Gate | None = None,
        answers_all: bool = False,
    ) -> None:
        """Takes parts that fit together; `load` is the usual way in."""
        self.manifest = manifest
        self._engine = engine
        self._neighbours = neighbours
        self._gate = gate
        self._answers_all = answers_all

    @classmethod
    def load(cls, directory: Path, *, threads: int = 1, answers_all: bool = False) -> Predictor:
        """Opens a bundle, checks its hashes and its golden predictions.

        Args:
            directory: the bundle.
            threads: cores one call may use.
            answers_all: answer also what the gate refuses, with its warning, to measure the classifier on all labels.

        Raises:
            BundleInvalid: a file is missing, altered, or answers differently.
        """
        bundle = open_bundle(directory)
        engine = bundle.load_engine(threads=threads)
        return cls(
            bundle.manifest,
            engine,
            neighbours=bundle.load_neighbours(engine),
            gate=bundle.load_gate(threads=threads),
            answers_all=answers_all,
        )

    @property
    def has_look_alikes(self) -> bool:
        """Whether the bundle keeps a list of its training slices."""
        return self._neighbours is not None

    def predict(
        self,
        data: bytes,
        *,
        name: str | None = None,
        limits: Limits | None = None,
        similar: int = 0,
        with_pixel_file: bool = False,
        image_sha256: str | None = None,
        decoder: Decode = decode,
    ) -> Prediction:
        """Classifies one encoded image or DICOM slice.

        Args:
            data: the file's bytes.
            name: what it is called; its extension is compared with the content.
            limits: caps on what is decoded.
            similar: so many look-alikes are looked up; 0 for none.
            with_pixel_file: also makes the copy of the slice that may be kept.
            image_sha256: of the file as it was sent, where `data` is the copy that was kept of it.
            decoder: decodes `data`.

        Raises:
            InputRejected: the bytes are not a usable slice.
            LookAlikesMissing: look-alikes are asked for and the bundle has none.
        """
        if similar and self._neighbours is None:
            raise LookAlikesMissing(
                f"{self.manifest.model_version} keeps no list of its training slices; ask without look-alikes, or "
                "train the model again with this version of hilum"
            )
        ct_slice = decoder(data, name=name, limits=limits, with_pixel_file=with_pixel_file)
        prediction = self.predict_slice(ct_slice)
        return self._compared(prediction, image_sha256 or hashlib.sha256(data).hexdigest(), similar)

    def predict_slice(self, ct_slice: CtSlice) -> Prediction:
        """Classifies a decoded slice.

        Raises:
            NotAChestCt: the bundle's gate says that the picture is something else.
        """
        manifest = self.manifest
        overview = overview_of(ct_slice.pixels)
        gate_warnings = self._gate_warnings(ct_slice, overview)
        body = manifest.preprocessing.body_of(ct_slice.pixels, overview)
        tensor = preprocess(ct_slice.pixels, manifest.preprocessing, body)
        output = self._engine.run(tensor[np.newaxis])
        probabilities = calibrated_probabilities(output.logits, manifest.temperature)[0]
        best = int(probabilities.argmax())
        by_class = dict(zip(manifest.class_names, probabilities.tolist(), strict=True))
        warnings = (*ct_slice.warnings, *gate_warnings, *quality_warnings(ct_slice.pixels, body))
        if not body.is_found:
            warnings = (*warnings, "body-not-found")
        is_doubtful = not _HARMLESS.issuperset(warnings)
        set_above = manifest.conformal.set_above if manifest.conformal else 1.0
        in_set = prediction_set(probabilities, set_above)
        is_confident = probabilities[best] >= manifest.confident_above and len(in_set) == 1 and not is_doubtful
        cancers = manifest.cancers_told_apart
        return Prediction(
            predicted_class=manifest.class_names[best],
            probabilities=by_class,
            cancer_probability=min(1.0, sum(by_class[name] for name in cancers)) if cancers else None,
            decision="confident" if is_confident else "review",
            prediction_set=tuple(manifest.class_names[index] for index in in_set),
            warnings=warnings,
            model_version=manifest.model_version,
            activation_map=np.maximum(output.activation_maps[0, :, :, best], 0),
            ct_slice=ct_slice,
            body=body,
            features=None if output.features is None else output.features[0],
            statistics=statistics_of(ct_slice.pixels, body),
        )

    def _gate_warnings(self, ct_slice: CtSlice, overview: Overview) -> tuple[str, ...]:
        if self._gate is None:
            return ()
        return self._gate.admit(ct_slice.pixels, overview=overview, refuses=not self._answers_all)

    def _compared(self, prediction: Prediction, digest: str, similar: int) -> Prediction:
        """Adds what the training slices say: the file's hash always, the slice itself and its look-alikes if asked."""
        if self._neighbours is None:
            return replace(prediction, image_sha256=digest)
        sketch = None
        if similar:
            sketch = sketch_of(fingerprint_of(prediction.ct_slice.pixels, prediction.body)[np.newaxis])[0]
        match = self._neighbours.identity(digest, sketch)
        look_alikes = None
        if similar and prediction.features is not None:
            look_alikes = self._neighbours.nearest(prediction.features, similar)
        warnings = prediction.warnings if match is None else (*prediction.warnings, TRAINING_IMAGE)
        return replace(
            prediction, training_match=match, look_alikes=look_alikes, warnings=warnings, image_sha256=digest
        )

    def answer_tensors(self, tensors: NDArray[np.float32]) -> TensorAnswers:
        """Answers (N, side, side, 1) preprocessed slices in one batch, without gate, quality checks or decision."""
        output = self._engine.run(tensors)
        return TensorAnswers(calibrated_probabilities(output.logits, self.manifest.temperature), output.activation_maps)
