"""The model that a new one starts from: its weights, its head, and how sure it may be. Knows no folds."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from hilum.errors import BundleInvalid
from hilum.inference.bundle import HISTORY, Bundle, open_bundle
from hilum.inference.calibration import calibrated_probabilities
from hilum.inference.manifest import Manifest
from hilum.inference.neighbours import NEIGHBOURS
from hilum.training.architectures import HEAD, POOL
from hilum.training.decision import Decision
from hilum.training.packing import KERAS

_FEWEST_KNOWN = 30
_BATCH = 32
_SAME = 0.99
"""Cosine of the features of two files of one slice; a file that was written anew has another hash."""

_HOTTEST = 50.0


@dataclass(frozen=True)
class Parent:
    """A verified bundle to start from.

    Attributes:
        directory: where its files lie.
        manifest: what it says of itself.
        known: sha256 of the slices it was trained on.
    """

    directory: Path
    manifest: Manifest
    known: frozenset[str]

    @classmethod
    def open(cls, directory: Path) -> Parent:
        """Opens a bundle.

        Raises:
            BundleInvalid: it is damaged, or has no Keras model to start from.
        """
        manifest = open_bundle(directory).manifest
        if KERAS not in manifest.files:
            raise BundleInvalid(f"{manifest.model_version} has no {KERAS} that training could start from")
        history = json.loads((directory / HISTORY).read_text()) if HISTORY in manifest.files else {}
        return cls(directory, manifest, frozenset(history.get("trained_on_sha256", ())))

    def build(self, class_names: tuple[str, ...]) -> keras.Model:
        """The classifier with the parent's weights; a new head, not yet learnt, where the classes are others."""
        classifier = keras.models.load_model(self.directory / KERAS, compile=False)
        if class_names == self.manifest.class_names:
            return classifier
        pooled = keras.layers.Dropout(0.3, name="dropout")(classifier.get_layer(POOL).output)
        logits = keras.layers.Dense(len(class_names), name=HEAD)(pooled)
        return keras.Model(classifier.input, logits, name=classifier.name)

    def decide_like(
        self,
        decision: Decision,
        digests: list[str],
        tensors: NDArray[np.float32],
        held_out: NDArray[np.float32],
        classifier: keras.Model,
    ) -> Decision:
        """A decision as sure as the parent's, with its operating point and its conformal threshold.

        A head that is fitted on features of slices that the backbone has learnt is far surer of them than it may be
        of new ones, and what is held out of the fit does not show it, as the backbone has seen that too. The parent's
        temperature was fitted on slices that none of its weights had seen. So the new model is made as sure as the
        parent is, on slices in the same position towards both: that both learnt, or, where those are few, that
        neither did.

        Args:
            decision: what the slices held out said.
            digests: (N,) sha256 of the slices learnt.
            tensors: (N, side, side, 1), the same.
            held_out: (N, C) logits of a fit that had not learnt the slice; NaN where there is none.
            classifier: the new model, which learnt all of them.
        """
        known = self._learnt(digests, tensors)
        is_held_out = ~np.isnan(held_out[:, 0])
        if known.sum() >= _FEWEST_KNOWN:
            rows = np.flatnonzero(known)
            logits = np.asarray(classifier.predict(tensors[rows], batch_size=32, verbose=0), np.float32)
        else:
            fresh = is_held_out & ~known
            rows = np.flatnonzero(fresh if fresh.any() else is_held_out)
            logits = held_out[rows]
        conformal = self.manifest.conformal
        return replace(
            decision,
            temperature=matched_temperature(logits, self._confidence(tensors[rows])),
            confident_above=self.manifest.confident_above,
            set_above=conformal.set_above if conformal else decision.set_above,
            n=conformal.n if conformal else decision.n,
        )

    def _learnt(self, digests: list[str], tensors: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(N,) whether it was trained on a slice: on the file, or on one that it cannot tell from it."""
        is_known = np.array([digest in self.known for digest in digests])
        if NEIGHBOURS not in self.manifest.files:
            return is_known
        bundle = Bundle(self.directory, self.manifest)
        engine = bundle.load_engine(threads=0)
        neighbours = bundle.load_neighbours(engine)
        for start in range(0, len(tensors), _BATCH):
            features = engine.run(tensors[start : start + _BATCH]).features
            if neighbours is not None and features is not None:
                similarities = neighbours.compared(features) @ neighbours.features.T
                is_known[start : start + _BATCH] |= similarities.max(axis=1) > _SAME
        return is_known

    def _confidence(self, tensors: NDArray[np.float32]) -> float:
        """Its mean top probability, as it is calibrated."""
        classifier = keras.models.load_model(self.directory / KERAS, compile=False)
        logits = np.asarray(classifier.predict(tensors, batch_size=32, verbose=0), np.float32)
        return float(calibrated_probabilities(logits, self.manifest.temperature).max(axis=1).mean())


def matched_temperature(logits: NDArray[np.float32], confidence: float) -> float:
    """The temperature, at least 1, at which the mean top probability is `confidence`, or as near as 1 allows.

    Args:
        logits: (N, C).
        confidence: in (0, 1].
    """
    low, high = 1.0, _HOTTEST
    if float(calibrated_probabilities(logits, low).max(axis=1).mean()) <= confidence:
        return low
    for _ in range(40):  # the mean falls as the temperature rises
        middle = float(np.sqrt(low * high))
        is_too_sure = float(calibrated_probabilities(logits, middle).max(axis=1).mean()) > confidence
        low, high = (middle, high) if is_too_sure else (low, middle)
    return high
