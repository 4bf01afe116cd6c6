"""The model that a new one starts from: its weights, its head, and how sure it may be. Knows no folds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hilum.errors import BundleInvalid
from hilum.inference.bundle import HISTORY, Bundle, open_bundle
from hilum.inference.calibration import calibrated_probabilities
from hilum.inference.manifest import Manifest
from hilum.inference.neighbours import NEIGHBOURS, Neighbours
from hilum.training.bundle_writer import KERAS
from hilum.training.decision import Decision
from hilum.training.stored_rows import StoredRows

if TYPE_CHECKING:
    import keras

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
        import keras

        from hilum.training.architectures import HEAD, POOL

        classifier = keras.models.load_model(self.directory / KERAS, compile=False)
        if class_names == self.manifest.class_names:
            return classifier
        pooled = keras.layers.Dropout(0.3, name="dropout")(classifier.get_layer(POOL).output)
        logits = keras.layers.Dense(len(class_names), name=HEAD)(pooled)
        return keras.Model(classifier.input, logits, name=classifier.name)

    def answers(
        self, tensors: NDArray[np.float32] | StoredRows
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.float32]]:
        """What its serving graph says of (N, side, side, 1) slices: features (N, F), where it gives any, and logits."""
        engine = Bundle(self.directory, self.manifest).load_engine(threads=0)
        outputs = [engine.run(tensors[start : start + _BATCH]) for start in range(0, len(tensors), _BATCH)]
        features = [output.features for output in outputs if output.features is not None]
        return np.concatenate(features) if features else None, np.concatenate([output.logits for output in outputs])

    def recognised(self, digests: Sequence[str], features: NDArray[np.float32] | None) -> NDArray[np.bool_]:
        """(N,) whether it was trained on a slice: on the file, or on one that it cannot tell from it.

        Args:
            digests: sha256 of the N files.
            features: (N, F) of its serving graph; without them only the files are compared.
        """
        is_known = np.array([digest in self.known for digest in digests])
        if features is None or NEIGHBOURS not in self.manifest.files:
            return is_known
        neighbours = Neighbours.load(self.directory / NEIGHBOURS)
        compared = neighbours.compared(features)
        for start in range(0, len(compared), _BATCH):
            similarities = compared[start : start + _BATCH] @ neighbours.features.T
            is_known[start : start + _BATCH] |= similarities.max(axis=1) > _SAME
        return is_known

    def decide_like(
        self,
        decision: Decision,
        is_known: NDArray[np.bool_],
        mine: NDArray[np.float32],
        theirs: NDArray[np.float32],
        held_out: NDArray[np.float32],
    ) -> Decision:
        """A decision as sure as the parent's, with its operating point and its conformal threshold.

        A head that is fitted on features of slices that the backbone has learnt is far surer of them than it may be
        of new ones, and what is held out of the fit does not show it, as the backbone has seen that too. The parent's
        temperature was fitted on slices that none of its weights had seen. So the new model is made as sure as the
        parent is, on slices in the same position towards both: that both learnt, or, where those are few, that
        neither did.

        Args:
            decision: what the slices held out said.
            is_known: (N,) which of the slices learnt the parent had learnt too.
            mine: (N, C) logits of the new model, which learnt all of them.
            theirs: (N, C') logits of the parent.
            held_out: (N, C) logits of a fit that had not learnt the slice; NaN where there is none.
        """
        if is_known.sum() >= _FEWEST_KNOWN:
            rows, logits = np.flatnonzero(is_known), mine
        else:
            is_held_out = ~np.isnan(held_out[:, 0])
            fresh = is_held_out & ~is_known
            rows, logits = np.flatnonzero(fresh if fresh.any() else is_held_out), held_out
        confidence = float(calibrated_probabilities(theirs[rows], self.manifest.temperature).max(axis=1).mean())
        conformal = self.manifest.conformal
        return replace(
            decision,
            temperature=matched_temperature(logits[rows], confidence),
            confident_above=self.manifest.confident_above,
            set_above=conformal.set_above if conformal else decision.set_above,
            n=conformal.n if conformal else decision.n,
        )


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
