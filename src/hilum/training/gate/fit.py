"""Fits the gate's linear layer and its thresholds, and measures it on pictures it was not fitted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from hilum.dataset.manifest import DatasetManifest
from hilum.dataset.splits import grouped_folds
from hilum.errors import DatasetInvalid
from hilum.evaluation import share_figure
from hilum.imaging.phantoms import draw_phantom
from hilum.inference.bundle import add_to_bundle, open_bundle
from hilum.inference.gate import GATE, softmax
from hilum.inference.gate_manifest import CHEST, GateFigure, GateGolden, GateManifest
from hilum.training.gate.graph import SIDE, build_trunk, write_graph
from hilum.training.gate.pictures import (
    ABDOMEN,
    HEAD,
    INVERTED,
    PATTERN,
    SCREEN,
    Pictures,
    Source,
    make_pictures,
    read_chest_sources,
    read_other_sources,
    seen_by_gate,
)
from hilum.training.gate.thresholds import choose_thresholds

Progress = Callable[[str, float, str], None]

WORDS = {
    CHEST: "an axial chest CT slice",
    ABDOMEN: "a CT slice of the abdomen or the pelvis",
    HEAD: "a CT slice of the head",
    INVERTED: "a CT slice with black and white exchanged",
    PATTERN: "noise, a pattern or an empty picture",
    SCREEN: "a screenshot, a plot or text",
    "brain_mri": "an MRI of the brain",
    "chest_xray": "a chest X-ray",
    "natural": "a photo",
}
"""What follows "looks like"; any other kind is called as its folder is."""

_GOLDEN_SEEDS = (0, 1, 2, 3)
_FOLDS = 5
_INVERSE_PENALTY = 0.01


@dataclass(frozen=True)
class LinearLayer:
    """(F, K) and (K,): features to logits."""

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, K) probabilities of (N, F) features."""
        return softmax(features @ self.kernel + self.bias)


@dataclass(frozen=True)
class GateReport:
    """A fitted gate and what to look at in its data.

    Attributes:
        settings: the section the bundle got.
        doubtful: chest slices the cross-fitted gate would refuse, with score and what they look like.
        missed: other pictures it would let through without a warning, likewise.
    """

    settings: GateManifest
    doubtful: tuple[tuple[str, float, str], ...]
    missed: tuple[tuple[str, float, str], ...]


def fit_gate(
    chest: Sequence[DatasetManifest], others: Sequence[DatasetManifest], bundle: Path, progress: Progress
) -> GateReport:
    """Fits a gate, measures it and adds it to a bundle.

    Args:
        chest: chest CT data sets, whose test splits are used for measuring only.
        others: folders of other pictures, a class a kind; measured by cross-fitting.
        bundle: the bundle that gets the gate.
        progress: told of each step.

    Raises:
        BundleInvalid: `bundle` is no bundle.
        DatasetInvalid: a kind has too few pictures to hold any out.
        TrainingFailed: the ImageNet weights are not installed.
    """
    open_bundle(bundle)
    progress("read", 0.0, "reading pictures")
    splits = [read_chest_sources(manifest, SIDE) for manifest in chest]
    sources = [source for fit, _ in splits for source in fit]
    sources += [source for manifest in others for source in read_other_sources(manifest, SIDE)]
    folds = _folds(sources)
    progress("read", 1.0, f"{len(sources)} pictures")
    pictures = make_pictures(
        sources, folds, SIDE, on_source=lambda done, of: progress("vary", done / of, f"{done}/{of} pictures")
    )
    trunk = build_trunk()
    features = take_features(trunk, pictures.pixels)
    kinds = tuple(sorted(set(pictures.kinds)))
    labels = np.array([kinds.index(kind) for kind in pictures.kinds])
    held_out = cross_fit(features, labels, pictures, len(kinds), progress)
    final = fit_layer(features, labels, pictures.weights, len(kinds))

    at = kinds.index(CHEST)
    real = pictures.sources >= 0  # the sources, in their order
    is_chest = labels[real] == at
    refuse_below, unusual_below = choose_thresholds(held_out[real][is_chest, at])
    measure = _Measure(refuse_below, unusual_below)
    figures, start = [], 0
    for manifest, (fit, test) in zip(chest, splits, strict=True):
        figures.append(measure(f"{manifest.source}, cross-fitted", held_out[start : start + len(fit), at]))
        start += len(fit)
        scores = final.scores(take_features(trunk, _stacked(test)))[:, at] if test else np.empty(0)
        learnt = {source.group for source in fit}
        is_new = np.array([source.group not in learnt for source in test], bool)
        figures.append(measure(f"{manifest.source}, test split", scores))
        figures.append(measure(f"{manifest.source}, test split without series of the fit", scores[is_new]))
    figures += _other_figures(measure, sources, held_out[real][:, at], others)
    settings = GateManifest(
        file=GATE,
        side=SIDE,
        sees_overview=True,
        kinds=kinds,
        words={kind: WORDS.get(kind, kind.replace("_", " ")) for kind in kinds},
        refuse_below=refuse_below,
        unusual_below=unusual_below,
        golden=tuple(_golden(seed, final, trunk, at) for seed in _GOLDEN_SEEDS),
        fitted_on=_counts(sources, pictures),
        measured=tuple(figure for figure in figures if figure.n),
    )
    progress("pack", 0.0, "exporting")
    write_graph(trunk, final.kernel, final.bias, bundle / GATE)
    add_to_bundle(bundle, [bundle / GATE], gate=settings)
    progress("pack", 1.0, "done")
    return _report(settings, sources, held_out[real])


def take_features(trunk: keras.Model, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, F) features of (N, side, side, 1) pictures times 255."""
    batches = [pixels[start : start + 256].astype(np.float32) / 255 for start in range(0, len(pixels), 256)]
    return np.concatenate([trunk.predict_on_batch(batch) for batch in batches])


def cross_fit(
    features: NDArray[np.float32], labels: NDArray[np.int64], pictures: Pictures, n_kinds: int, progress: Progress
) -> NDArray[np.float64]:
    """(N, K) probabilities, each row by a fit without its fold."""
    scores = np.zeros((len(labels), n_kinds))
    n_folds = int(pictures.folds.max()) + 1
    for fold in range(n_folds):
        held = pictures.folds == fold
        layer = fit_layer(features[~held], labels[~held], pictures.weights[~held], n_kinds)
        scores[held] = layer.scores(features[held])
        progress("cross-fit", (fold + 1) / n_folds, f"fold {fold + 1}/{n_folds}")
    return scores


def fit_layer(
    features: NDArray[np.float32], labels: NDArray[np.int64], weights: NDArray[np.float64], n_kinds: int
) -> LinearLayer:
    """A softmax over kinds on standardised features, every kind of equal weight, folded to one layer.

    Args:
        features: (N, F).
        labels: (N,) kinds, each present.
        weights: (N,) within a kind.
        n_kinds: K.
    """
    totals = np.bincount(labels, weights, minlength=n_kinds)
    balanced = weights / totals[labels]
    balanced *= len(labels) / balanced.sum()
    mean, deviation = features.mean(0), features.std(0) + np.float32(1e-2)
    model = LogisticRegression(C=_INVERSE_PENALTY, max_iter=2000, tol=1e-4)
    model.fit((features - mean) / deviation, labels, sample_weight=balanced)
    coefficients, intercepts = model.coef_, model.intercept_
    if n_kinds == 2:  # scikit-learn gives the second kind's only: half of it, and its negative, are the same softmax
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    kernel = (coefficients.T / deviation[:, np.newaxis]).astype(np.float32)
    bias = (intercepts - (mean / deviation) @ coefficients.T).astype(np.float32)
    return LinearLayer(kernel, bias)


@dataclass(frozen=True)
class _Measure:
    refuse_below: float
    unusual_below: float

    def __call__(self, pictures: str, scores: NDArray[np.float64], *, refused_before: int = 0) -> GateFigure:
        refused = int((scores < self.refuse_below).sum()) + refused_before
        unusual = int(((scores >= self.refuse_below) & (scores < self.unusual_below)).sum())
        n = len(scores) + refused_before
        share = share_figure(refused, n)
        return GateFigure(
            pictures=pictures, refused=refused, unusual=unusual, n=n, low=share.low or 0.0, high=share.high or 0.0
        )


def _other_figures(
    measure: _Measure, sources: Sequence[Source], scores: NDArray[np.float64], others: Sequence[DatasetManifest]
) -> list[GateFigure]:
    of = np.array([source.kind for source in sources])
    figures = [measure(f"{kind}, cross-fitted", scores[of == kind]) for kind in sorted(set(of) - {CHEST})]
    figures.append(measure("all that is no chest CT, cross-fitted", scores[of != CHEST]))
    undecodable = sum(len(manifest.rejected) for manifest in others)
    if undecodable:
        name = "all that is no chest CT, by decoder or gate, cross-fitted"
        figures.append(measure(name, scores[of != CHEST], refused_before=undecodable))
    return figures


def _folds(sources: Sequence[Source]) -> list[int]:
    kinds = sorted({source.kind for source in sources})
    labels = [kinds.index(source.kind) for source in sources]
    fewest = min(len({source.group for source in sources if source.kind == kind}) for kind in kinds)
    if fewest < 2 or len(kinds) < 2:
        raise DatasetInvalid("A gate needs chest slices and other pictures, each kind from at least two origins.")
    fold_of = [0] * len(sources)
    parts = grouped_folds(labels, [source.group for source in sources], min(_FOLDS, fewest), seed=0)
    for fold, (_, held) in enumerate(parts):
        for row in held.tolist():
            fold_of[row] = fold
    return fold_of


def _stacked(sources: Sequence[Source]) -> NDArray[np.uint8]:
    return np.stack([source.seen for source in sources])


def _golden(seed: int, layer: LinearLayer, trunk: keras.Model, chest: int) -> GateGolden:
    seen = seen_by_gate(draw_phantom(seed), SIDE)
    score = layer.scores(take_features(trunk, seen[np.newaxis]))[0, chest]
    return GateGolden(phantom_seed=seed, chest_score=round(float(score), 6))


def _counts(sources: Sequence[Source], pictures: Pictures) -> dict[str, int]:
    real = Counter(source.kind for source in sources)
    made = Counter(kind for kind, source in zip(pictures.kinds, pictures.sources, strict=True) if source < 0)
    counts = {f"{kind}, real": n for kind, n in real.items()} | {
        f"{kind}, varied or drawn": n for kind, n in made.items()
    }
    return dict(sorted(counts.items()))


def _report(settings: GateManifest, sources: Sequence[Source], scores: NDArray[np.float64]) -> GateReport:
    chest = settings.kinds.index(CHEST)

    def row(index: int) -> tuple[str, float, str]:
        others = scores[index].copy()
        others[chest] = -1
        return sources[index].name, float(scores[index, chest]), settings.words[settings.kinds[int(others.argmax())]]

    ranked = [int(index) for index in np.argsort(scores[:, chest])]
    doubtful = [row(i) for i in ranked if sources[i].kind == CHEST and scores[i, chest] < settings.refuse_below]
    missed = [row(i) for i in ranked[::-1] if sources[i].kind != CHEST and scores[i, chest] >= settings.unusual_below]
    return GateReport(settings, tuple(doubtful), tuple(missed))
