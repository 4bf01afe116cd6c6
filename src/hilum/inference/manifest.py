"""What a bundle says of itself. Data only: reading and checking files is the bundle's work."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hilum.imaging.preprocess import Preprocessing
from hilum.inference.gate_manifest import GateManifest


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Golden(_Strict):
    """A phantom's expected probabilities: the bundle must reproduce them before it serves."""

    phantom_seed: int
    probabilities: tuple[float, ...]


class Parity(_Strict):
    """How far the served graph's probabilities lie from Keras's, on `n` real slices."""

    n: int
    max_probability_difference: float
    agreement: float = Field(description="share of slices with the same predicted class")


class Conformal(_Strict):
    """How prediction sets are made: every class at least `set_above` probable, which `n` held-out slices chose."""

    coverage: float = Field(gt=0, lt=1, description="share of sets that contain the true class, for slices like those")
    set_above: float = Field(ge=0, le=1)
    n: int


class Manifest(_Strict):
    """The contents of `manifest.json`.

    Attributes:
        model_version: unique name, `<arch>-<date>-<digest>`.
        architecture: backbone, such as `efficientnet-lite0`.
        class_names: in the order of the logits.
        cancer_class_names: the classes summed into `cancer_probability`, unless all are.
        preprocessing: what the model's input must have gone through.
        temperature: logits are divided by it (Guo et al., ICML 2017).
        confident_above: operating point; below it the decision is `review`.
        conformal: how prediction sets are made; None in bundles that make none.
        dataset_digest: sha256 of the manifest of the data it was trained on.
        sources: names of the data sets it was trained on, the main one first; empty in older bundles.
        engine_files: the bundle's graphs, the one to serve first; the next serves where a processor's 8-bit
            arithmetic fails the golden check.
        files: sha256 of every other file in the bundle.
        parity: by graph file, against Keras.
        golden: by graph file, phantoms and their probabilities.
        gate: what refuses pictures that are no chest CT; None in bundles without one.
    """

    schema_version: Literal[1] = 1
    model_version: str
    architecture: str
    created_at: datetime
    hilum_version: str
    code_version: str
    class_names: tuple[str, ...]
    cancer_class_names: tuple[str, ...]
    preprocessing: Preprocessing
    temperature: float = Field(gt=0)
    confident_above: float = Field(ge=0, le=1)
    conformal: Conformal | None = None
    dataset_digest: str
    sources: tuple[str, ...] = ()
    engine_files: tuple[str, ...] = Field(min_length=1)
    files: dict[str, str]
    parity: dict[str, Parity]
    golden: dict[str, tuple[Golden, ...]]
    gate: GateManifest | None = None
    training: dict[str, str | int | float | bool] = Field(description="the settings the model was trained with")

    @property
    def cancers_told_apart(self) -> tuple[str, ...]:
        """The cancer classes; none where every class is one, since their sum would be 1 for whatever slice."""
        return self.cancer_class_names if len(self.cancer_class_names) < len(self.class_names) else ()

    @model_validator(mode="after")
    def _classes_agree(self) -> Self:
        if len(set(self.class_names)) < max(2, len(self.class_names)):
            raise ValueError("class_names must be at least two different names")
        if unknown := set(self.cancer_class_names) - set(self.class_names):
            raise ValueError(f"cancer_class_names has {', '.join(sorted(unknown))}, which class_names has not")
        if any(len(row.probabilities) != len(self.class_names) for rows in self.golden.values() for row in rows):
            raise ValueError("a golden prediction has another number of probabilities than there are classes")
        return self
