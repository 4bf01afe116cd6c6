"""Learns a new linear head on a champion's frozen features: a fit that is tried, then one to everything. No files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.training.corpus import Corpus
from hilum.training.corpus_folds import folds_by_group
from hilum.training.decision import Decision, decide
from hilum.training.fit_settings import EpochHook, FitSettings, epochs_of_a_refit, head_settings
from hilum.training.linear_head import FittedHead, LinearHead, fit_linear_head
from hilum.training.parent import Parent
from hilum.training.slice_features import CorpusFeatures
from hilum.training.watch import Progress, Watch

_FOLDS = 6


@dataclass(frozen=True)
class NewHead:
    """What was learnt.

    Attributes:
        fitted: to every slice.
        tried: to all but one grouped fold, which stopped it early.
        decision: how the logits of `fitted` become an answer.
        n_held_out: slices of that fold.
    """

    fitted: FittedHead
    tried: FittedHead
    decision: Decision
    n_held_out: int


def learn_head(
    corpus: Corpus,
    features: CorpusFeatures,
    parent: Parent,
    start: LinearHead,
    *,
    settings: FitSettings,
    progress: Progress,
    watch: Watch,
) -> NewHead:
    """Fits with one grouped fold held out, which says how good the recipe is and for how long, then to everything.

    Args:
        corpus: N slices and what their labels allow.
        features: theirs.
        parent: the champion, as sure as which the new head becomes.
        start: its head, where each fit begins.
        settings: of the fit that is tried.
        progress: told of each epoch.
        watch: told of it too; what it raises ends the fit.
    """
    learn, hold = folds_by_group(corpus, corpus.groups, _FOLDS, settings.seed)[0]
    exact, targets = features.views[0], corpus.targets
    tried = fit_linear_head(
        features.views,
        targets,
        (exact[hold], targets[hold]),
        settings,
        slices=learn,
        start=start,
        on_epoch=_reporter("fit", progress, watch),
    )
    epochs = epochs_of_a_refit(tried.best_epoch, settings.epochs)
    everything = head_settings(epochs, starts_warm=True, seed=settings.seed)
    refit = _reporter("refit", progress, watch)
    fitted = fit_linear_head(features.views, targets, None, everything, start=start, on_epoch=refit)
    logits = np.full(targets.shape, np.nan, np.float32)
    logits[hold] = tried.head.logits(exact[hold])
    decision = _decision(corpus, features, parent, logits, start=start, final=fitted.head)
    return NewHead(fitted, tried, decision, len(hold))


def _decision(
    corpus: Corpus,
    features: CorpusFeatures,
    parent: Parent,
    held_out: NDArray[np.float32],
    *,
    start: LinearHead,
    final: LinearHead,
) -> Decision:
    """`held_out` (N, C) are logits of the fit that had not learnt some slices, NaN for all others."""
    rows = np.flatnonzero(~np.isnan(held_out[:, 0]))
    found = decide(held_out[rows], corpus.targets[rows].argmax(axis=1))
    exact = features.views[0]
    is_known = parent.recognised([item.record.sha256 for item in corpus.slices], features.served)
    return parent.decide_like(found, is_known, final.logits(exact), start.logits(exact), held_out)


def _reporter(stage: str, progress: Progress, watch: Watch) -> EpochHook:
    def report(epoch: int, of: int, row: dict[str, float]) -> None:
        watch.on_epoch(stage, row)
        progress(stage, epoch / of, f"epoch {epoch}/{of}  loss {row['loss']:.3f}")

    return report
