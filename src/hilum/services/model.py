"""The model being served and what was measured of it. Knows bundles; not requests, threads or HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from hilum.errors import BundleInvalid
from hilum.imaging.decode import CtSlice, Decode, Limits, decode
from hilum.inference.bundle import METRICS
from hilum.inference.input_reference import INPUTS, InputReference
from hilum.inference.manifest import Manifest
from hilum.inference.measured_answers import ANSWERS, MeasuredAnswers
from hilum.inference.predictor import Prediction, Predictor
from hilum.services.provenance import Provenance, provenance_of


class SlicePredictor(Protocol):
    """What a served model must do; safe to call from several threads."""

    manifest: Manifest

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
        """Classifies one encoded slice and finds `similar` look-alikes, or raises `InputRejected`."""
        ...

    def predict_slice(self, ct_slice: CtSlice) -> Prediction:
        """Classifies a decoded slice, or raises `NotAChestCt`."""
        ...


@dataclass(frozen=True)
class ServedModel:
    """A loaded model.

    Attributes:
        predictor: verified and warm.
        metrics: its bundle's measured performance; None where none was measured.
        has_look_alikes: whether it can name the training slices most like an input.
        input_reference: what its training inputs were like; None where its bundle does not say.
        answers: what it answered the images it was measured on; None where its bundle does not say.
    """

    predictor: SlicePredictor
    metrics: dict[str, Any] | None = None
    has_look_alikes: bool = False
    input_reference: InputReference | None = None
    answers: MeasuredAnswers | None = None

    @property
    def version(self) -> str:
        """The bundle's unique name."""
        return self.predictor.manifest.model_version

    @cached_property
    def provenance(self) -> Provenance:
        """What its answers come from."""
        return provenance_of(self.predictor.manifest)


def load_model(directory: Path) -> ServedModel:
    """Opens, verifies and warms a bundle.

    Raises:
        BundleInvalid: it is damaged, or does not answer as when it was made.
    """
    predictor = Predictor.load(directory, threads=1)
    files = predictor.manifest.files
    return ServedModel(
        predictor,
        _measured(directory / METRICS),
        predictor.has_look_alikes,
        InputReference.load(directory / INPUTS) if INPUTS in files else None,
        MeasuredAnswers.load(directory / ANSWERS) if ANSWERS in files else None,
    )


def parsed_metrics(data: bytes, bundle: str) -> dict[str, Any]:
    """What a bundle's metrics.json says.

    Args:
        data: the file's bytes.
        bundle: what the bundle is called in a refusal.

    Raises:
        BundleInvalid: it is no JSON object, or one with numbers that JSON has not.
    """
    try:
        metrics = json.loads(data, parse_constant=_refuse_constant)
    except ValueError as error:
        raise BundleInvalid(f"{METRICS} of {bundle!r} is not JSON: {error}") from error
    if not isinstance(metrics, dict):
        raise BundleInvalid(f"{METRICS} of {bundle!r} is no JSON object")
    return metrics


def _measured(path: Path) -> dict[str, Any] | None:
    try:
        return parsed_metrics(path.read_bytes(), path.parent.name)
    except FileNotFoundError:
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
