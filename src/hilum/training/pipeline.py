"""From a data set to a bundle: read, fold, fit, calibrate, refit, export, quantise, write. Reads top to bottom."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras
import numpy as np

from hilum.dataset.labels import LabelScheme
from hilum.dataset.manifest import DatasetManifest
from hilum.dataset.series import series_groups
from hilum.dataset.splits import Fold
from hilum.imaging.preprocess import SOFT_TISSUE
from hilum.inference.bundle import gate_of
from hilum.training.architectures import build_classifier, require_blocks
from hilum.training.bundle_writer import Learnt
from hilum.training.corpus import Corpus, gather
from hilum.training.corpus_folds import folds_by_group, strata_for
from hilum.training.cross_validation import (
    OutOfFold,
    baselines,
    exact_slices,
    fit_folds,
    leave_source_out,
    random_folds,
    series_of,
    source_truth,
    split_truth,
)
from hilum.training.decision import decide
from hilum.training.fit_settings import epochs_of_a_refit
from hilum.training.fitter import Fitter, FullFitter, HeadFitter
from hilum.training.head import features_as_served
from hilum.training.keras_answers import answers_of
from hilum.training.packing import write_bundle
from hilum.training.parent import Parent
from hilum.training.slices import read_slices
from hilum.training.split_rows import SplitRows
from hilum.training.sufficiency import fewest_groups, require_enough, require_replaceable
from hilum.training.trainer import TrainingData
from hilum.training.training_settings import TrainingSettings
from hilum.training.upper_fitter import UpperFitter
from hilum.training.watch import Progress, Watch

GROUPED = "no slice, nor a near copy of it, on both sides; neighbouring slices of a patient may be"
SERIES = "one such fold with no series on both sides, as far as names and near copies tell: nearest to new patients"
RANDOM = "one random fold, copies and patients on both sides: flatters, and is here to show by how much"


def train(
    manifest: DatasetManifest,
    out: Path,
    settings: TrainingSettings,
    progress: Progress,
    *,
    also: Sequence[DatasetManifest] = (),
    scheme: LabelScheme | None = None,
    gate_from: Path | None = None,
    watch: Watch | None = None,
) -> Path:
    """Trains a model on every split but `test` and writes its bundle to `out`.

    Work in progress lies in `<out>.run`; the same call after a kill goes on from the last epoch.

    Args:
        manifest: the main data set, with groups: its labels are the classes.
        out: the bundle's folder, made or replaced.
        settings: what to train.
        progress: told of each step.
        also: further data sets to learn from, whose labels may be coarse.
        scheme: what the labels say; by default that of the main data set's labels.
        gate_from: a bundle whose gate the new one inherits; `out` itself may be it.
        watch: told of each epoch and batch.

    Returns:
        `out`.

    Raises:
        TrainingFailed: the data do not suffice, `out` is there and is no bundle, or there is no room.
        DatasetInvalid: a label is unknown.
        BundleInvalid: `gate_from` or the parent cannot be read.
    """
    require_replaceable(out)
    if gate_from is not None:
        gate_of(gate_from)  # said now rather than after the training
    scheme = scheme or LabelScheme.of(manifest.class_names)
    corpus = gather([manifest, *also], scheme)
    require_enough(corpus)
    if settings.mode == "upper":
        require_blocks(settings.architecture, settings.frozen_blocks)
    parent = Parent.open(settings.parent) if settings.parent is not None else None
    preprocessing = parent.manifest.preprocessing if parent else SOFT_TISSUE.model_copy(update={"side": settings.side})
    if parent:
        settings = replace(settings, architecture=parent.manifest.architecture, side=preprocessing.side)
    run = _open_run(out, corpus, settings, parent)
    data = read_slices(
        corpus,
        preprocessing,
        kept_in=run if settings.mode == "head" else None,
        on_slice=lambda done, of: progress("read", done / of, f"{done}/{of} slices"),
    )
    fitter = _fitter(settings, corpus, data, parent, run=run, progress=progress, watch=watch or Watch())
    fitting = _Fitting(corpus, data, fitter, settings)
    evidence = (
        _cross_validate(fitting, manifest, settings.cross_validate) if settings.cross_validate else _hold_out(fitting)
    )
    exact = exact_slices(corpus, evidence.held_out.logits)
    decision = decide(evidence.held_out.logits[exact], corpus.targets[exact].argmax(1))
    if settings.refit or settings.cross_validate:
        everything = np.arange(len(corpus.slices))
        final = fitting.fitter.fit(
            "refit", everything, None, replace(settings.fit_settings(), epochs=evidence.epochs, patience=None)
        )
    else:
        final = evidence.held_out.first

    if parent:
        features, theirs = parent.answers(data.tensors)
        mine = answers_of(final.classifier, data.tensors)
        is_known = parent.recognised([item.record.sha256 for item in corpus.slices], features)
        decision = parent.decide_like(decision, is_known, mine, theirs, evidence.held_out.logits)

    progress("pack", 0.0, "exporting and quantising")
    learnt = Learnt(
        architecture=settings.architecture,
        preprocessing=preprocessing,
        corpus=corpus,
        decision=decision,
        history=evidence.held_out.first.history,
        class_counts=manifest.class_counts(),
        splits=evidence.splits,
        settings={
            **{name: str(value) if isinstance(value, Path) else value for name, value in asdict(settings).items()},
            "parent": parent.manifest.model_version if parent else None,
            "best_epoch": evidence.held_out.first.best_epoch,
            "epochs_fitted": evidence.epochs,
            "slices": len(corpus.slices),
            "held_out_slices": len(evidence.held_out.covered),
            "held_out_accuracy": decision.accuracy,
        },
        held_out_logits=evidence.held_out.logits,
    )
    write_bundle(final.classifier, learnt, data.tensors, evidence.held_out.folds[0][1], out, gate_from=gate_from)
    for folder in (run, run.parent):
        with suppress(OSError):  # checkpoints stay in it
            folder.rmdir()
    progress("pack", 1.0, "done")
    return out


@dataclass(frozen=True)
class _Fitting:
    """What is learnt, and the way of learning."""

    corpus: Corpus
    data: TrainingData
    fitter: Fitter
    settings: TrainingSettings

    def grouped_folds(self, groups: Sequence[str], n_folds: int) -> list[Fold]:
        """Folds that no group crosses; fewer of them where a class has fewer groups."""
        return folds_by_group(self.corpus, groups, n_folds, self.settings.seed)

    def random_folds(self, n_folds: int) -> list[Fold]:
        """As many folds that ignore groups."""
        each_its_own = [str(row) for row in range(len(self.corpus.slices))]
        return random_folds(strata_for(self.corpus, each_its_own, n_folds), n_folds, self.settings.seed)


@dataclass(frozen=True)
class _Evidence:
    """What fits on parts of the data taught, before the final fit."""

    held_out: OutOfFold
    epochs: int
    splits: SplitRows


def _hold_out(fitting: _Fitting) -> _Evidence:
    """One grouped fold is held out: it stops the fit early, and the final fit is as long as was best for it."""
    corpus, schedule = fitting.corpus, fitting.settings.fit_settings()
    folds = fitting.grouped_folds(corpus.groups, fitting.settings.folds)[:1]
    held_out = fit_folds(fitting.fitter, folds, corpus.targets.shape, schedule, "fit")
    epochs = held_out.first.best_epoch
    if fitting.settings.mode != "head":
        epochs = max(epochs, round(0.75 * schedule.epochs))
    elif fitting.settings.parent is not None:
        epochs = epochs_of_a_refit(epochs, schedule.epochs)
    return _Evidence(held_out, epochs, SplitRows((), ()))


def _cross_validate(fitting: _Fitting, manifest: DatasetManifest, n_folds: int) -> _Evidence:
    """The recipe is fitted, to its last epoch, on folds of each way of splitting: nothing is chosen by any."""
    corpus, settings = fitting.corpus, fitting.settings
    final = settings.fit_settings()
    schedule = replace(final, epochs=settings.fold_epochs or final.epochs, patience=None)
    series = series_of(corpus, {record.sha256: record.group for record in series_groups(manifest).records})

    def run(folds: list[Fold], name: str) -> OutOfFold:
        return fit_folds(fitting.fitter, folds, corpus.targets.shape, schedule, name)

    frozen = features_as_served(settings.architecture, settings.side, settings.weights, fitting.data)
    grouped = run(fitting.grouped_folds(corpus.groups, n_folds), "grouped")
    truths = [split_truth("grouped cross-validation", GROUPED, corpus, grouped.logits, corpus.groups)]
    if not settings.grouped_only:
        if fewest_groups(corpus.classes, series) > 1:  # else no series of some class can be held out
            by_series = run(fitting.grouped_folds(series, n_folds)[:1], "series-1")
            truths.append(split_truth("series held out", SERIES, corpus, by_series.logits, series))
        flattering = run(fitting.random_folds(len(grouped.folds))[:1], "random-1")
        truths.append(split_truth("random cross-validation", RANDOM, corpus, flattering.logits, None))
    truths += baselines(corpus, frozen, grouped.folds, corpus.groups)
    external = []
    for source, name in list(enumerate(corpus.sources))[1:]:
        external.append(source_truth(name, "grouped cross-validation", corpus, grouped.logits, source))
        left = run([leave_source_out(corpus, source)], f"without-{source}")
        external.append(source_truth(name, "left out of training entirely", corpus, left.logits, source))
    return _Evidence(grouped, final.epochs, SplitRows(tuple(truths), tuple(row for row in external if row)))


def _fitter(
    settings: TrainingSettings,
    corpus: Corpus,
    data: TrainingData,
    parent: Parent | None,
    *,
    run: Path,
    progress: Progress,
    watch: Watch,
) -> Fitter:
    def build() -> keras.Model:
        if parent:
            return parent.build(corpus.class_names)
        return build_classifier(
            settings.architecture,
            settings.side,
            data.targets.shape[1],
            weights=settings.weights,
            frozen_blocks=settings.frozen_blocks if settings.mode == "upper" else 0,
        )

    if settings.mode == "upper":
        return UpperFitter(data, build, run, progress, watch)
    if settings.mode == "full":
        return FullFitter(data, build, run, progress, watch)
    starts_warm = parent is not None and parent.manifest.class_names == corpus.class_names
    return HeadFitter(data, build, settings.fit_settings(), progress, watch, starts_warm=starts_warm)


def _open_run(out: Path, corpus: Corpus, settings: TrainingSettings, parent: Parent | None) -> Path:
    """The folder of checkpoints; one of another data set or other settings is not mixed in."""
    decisive = (settings.architecture, settings.mode, settings.side, settings.epochs, settings.folds)
    also = (settings.cross_validate, settings.fold_epochs, settings.seed, str(settings.weights))
    divided = [settings.frozen_blocks] if settings.mode == "upper" else []
    started = parent.manifest.model_version if parent else ""
    identity = json.dumps({"data": corpus.digest, "settings": [*decisive, *also, *divided, *filter(None, [started])]})
    run = out.with_name(f"{out.name}.run") / hashlib.sha256(identity.encode()).hexdigest()[:12]
    run.mkdir(parents=True, exist_ok=True)
    return run
