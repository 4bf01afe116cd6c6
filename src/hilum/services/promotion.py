"""Compares a challenger with the champion on the same frozen test set. Needs no Keras; moves no alias."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hilum.dataset.manifest import DatasetManifest, ImageRecord
from hilum.evaluation import PairedTest, mcnemar
from hilum.evaluation.differences import Difference, compare
from hilum.evaluation.label_noise import Labelled, LabelNoise, label_noise
from hilum.inference.bundle import HISTORY
from hilum.services import gate_checks as checks
from hilum.services.bundle_answers import BundleAnswers, LoadedBundle, answer_all, milliseconds_per_slice
from hilum.services.gate_checks import Check, GateRules

__all__ = ["Check", "Comparison", "GateRules", "answer_checks", "compare_bundles"]

TEST = "test"
_LEAST_OF_A_SOURCE = 20
_BOOTSTRAP = 2000

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Comparison:
    """What the gate found.

    Attributes:
        verdict: `promote` where every check passed.
        checks: in the order they are shown.
        flipped: test images whose predicted class differs.
        mcnemar: of right and wrong answers; A is the champion.
        by_source: accuracy of both, by where the image came from.
        suspects: new images whose label the others contradict.
        n: test images.
    """

    verdict: Literal["promote", "refuse"]
    checks: tuple[Check, ...]
    flipped: tuple[dict[str, Any], ...]
    mcnemar: PairedTest
    by_source: tuple[dict[str, Any], ...]
    suspects: tuple[dict[str, Any], ...]
    n: int

    def to_dict(self) -> dict[str, Any]:
        """The report of a training run, as JSON types."""
        return {
            "verdict": self.verdict,
            "checks": [check.to_dict() for check in self.checks],
            "flipped": list(self.flipped),
            "mcnemar": asdict(self.mcnemar),
            "by_source": list(self.by_source),
            "suspects": list(self.suspects),
            "n": self.n,
        }


def compare_bundles(
    champion: Path,
    challenger: Path,
    dataset: DatasetManifest,
    *,
    image_ids: Mapping[str, str] | None = None,
    features: Mapping[str, NDArray[np.float32]] | None = None,
    rules: GateRules | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Has both answer the test images, and judges the labels of the images that the champion has not seen.

    Args:
        champion, challenger: folders of bundles.
        dataset: the snapshot, with its files; images of the split `test` are the test set.
        image_ids: ids of labelled images by sha256, for links.
        features: by sha256, what the champion's serving graph makes of images outside the test set, as far as that is
            known; the rest is computed.
        rules: how much worse the challenger may be.
        progress: told the share that is done; it may raise to stop.

    Raises:
        BundleInvalid: a bundle cannot be loaded.
        InputRejected: an image cannot be decoded.
    """
    rules = rules or GateRules()
    tell = progress or (lambda _: None)
    old, new = LoadedBundle.load(champion), LoadedBundle.load(challenger)
    class_names = _all_classes(old, new, dataset)
    test = _Images.of([record for record in dataset.records if record.split == TEST], class_names)
    answers = answer_all([old, new], test.records, dataset.root, lambda share: tell(share / 2))
    learnt = _learnt_by(old)
    others = [record for record in dataset.records if record.split != TEST]
    noise: LabelNoise | None = None
    suspects: tuple[dict[str, Any], ...] = ()
    fresh = [record for record in others if record.sha256 not in learnt]
    if len(fresh) >= rules.least_new and test.records:
        known = [record for record in others if record.sha256 in learnt]
        images = _Images.of([*known, *fresh], class_names)
        of_others = _features_of(old, images.records, dataset.root, features or {}, lambda share: tell(0.5 + share / 2))
        is_wrong = answers[0].over(class_names).argmax(axis=1) != test.labels
        noise = _noise(images.labelled(of_others), len(known), (is_wrong, test.groups), len(class_names))
        suspects = _suspects(fresh, noise, class_names, image_ids or {})
    trial = _Trial(old, new, test, answers, class_names, dataset.root)
    found = trial.judged(noise, rules)
    return Comparison(
        verdict="promote" if all(check.passed for check in found.checks) else "refuse",
        checks=tuple(found.checks),
        flipped=_flipped(test, answers, image_ids or {}),
        mcnemar=found.mcnemar,
        by_source=tuple({"source": name, **asdict(row)} for name, row in found.by_source.items()),
        suspects=suspects,
        n=len(test.records),
    )


def answer_checks(
    champion: NDArray[np.float64],
    challenger: NDArray[np.float64],
    labels: NDArray[np.intp],
    class_names: Sequence[str],
    groups: Sequence[str],
    *,
    noise: LabelNoise | None,
    rules: GateRules,
) -> tuple[list[Check], PairedTest]:
    """The checks that hang on answers alone, and McNemar's test of right and wrong ones (A is the champion).

    Args:
        champion, challenger: (N, C) probabilities of each.
        labels: (N,) indices into `class_names`.
        class_names: C names.
        groups: (N,) which images belong together.
        noise: of the labels of new images; None where there are too few.
        rules: how much worse the challenger may be.
    """
    paired = mcnemar(champion.argmax(axis=1) == labels, challenger.argmax(axis=1) == labels)
    differences = compare(champion, challenger, labels, class_names, groups=groups, n_bootstrap=_BOOTSTRAP)
    measured = checks.measures(differences, rules)
    return [*measured, checks.not_significantly_worse(paired), checks.labels_agree(noise, rules)], paired


@dataclass(frozen=True)
class _Images:
    """Records with their labels as numbers."""

    records: Sequence[ImageRecord]
    labels: NDArray[np.intp]

    @classmethod
    def of(cls, records: Sequence[ImageRecord], class_names: Sequence[str]) -> _Images:
        return cls(records, np.array([class_names.index(record.class_name) for record in records], np.intp))

    @property
    def groups(self) -> list[str]:
        return [record.group for record in self.records]

    def labelled(self, features: NDArray[np.float32]) -> Labelled:
        return Labelled(features, self.labels, self.groups)


@dataclass(frozen=True)
class _Judged:
    checks: list[Check]
    mcnemar: PairedTest
    by_source: dict[str, Difference]


@dataclass(frozen=True)
class _Trial:
    """Both bundles and what they said of the test set."""

    old: LoadedBundle
    new: LoadedBundle
    test: _Images
    answers: Sequence[BundleAnswers]
    class_names: Sequence[str]
    root: Path

    def judged(self, noise: LabelNoise | None, rules: GateRules) -> _Judged:
        """Every check; the ones that need test images where there are any."""
        old, new, test = self.old.bundle.manifest, self.new.bundle.manifest, self.test
        basic = [checks.size_of_test_set(len(test.records), rules), checks.classes_kept(old, new)]
        if not test.records:
            return _Judged(basic, PairedTest(0, 0, 1.0), {})
        a, b = (one.over(self.class_names) for one in self.answers)
        by_source = _by_source(a, b, test, self.class_names)
        answered, paired = answer_checks(a, b, test.labels, self.class_names, test.groups, noise=noise, rules=rules)
        found = [
            *basic,
            *answered,
            *(checks.sources_kept(by_source, rules) if len(by_source) > 1 else ()),
            *self._running(rules),
        ]
        return _Judged(found, paired, by_source)

    def _running(self, rules: GateRules) -> list[Check]:
        old, new = self.old.bundle.manifest, self.new.bundle.manifest
        refused = [float(one.is_refused.mean()) for one in self.answers]
        times = milliseconds_per_slice([self.old, self.new], self.test.records, self.root)
        return [
            checks.gate_kept((old, refused[0]), (new, refused[1]), rules),
            checks.within_factor("latency", "ms", times[0], times[1], rules.seconds),
            checks.within_factor("size", "MB", self.old.graph_bytes / 1e6, self.new.graph_bytes / 1e6, rules.bytes),
            checks.graphs_agree(new, rules),
        ]


def _all_classes(old: LoadedBundle, new: LoadedBundle, dataset: DatasetManifest) -> list[str]:
    names = {*old.bundle.manifest.class_names, *new.bundle.manifest.class_names, *dataset.class_names}
    return sorted(names)


def _features_of(
    loaded: LoadedBundle,
    records: Sequence[ImageRecord],
    root: Path,
    known: Mapping[str, NDArray[np.float32]],
    progress: Progress,
) -> NDArray[np.float32]:
    """(N, F) of the serving graph, computed where they are not known."""
    missing = [record for record in records if record.sha256 not in known]
    (answers,) = answer_all([loaded], missing, root, progress)
    rows = {record.sha256: row for record, row in zip(missing, answers.features, strict=True)} | dict(known)
    return np.stack([rows[record.sha256] for record in records])


def _learnt_by(loaded: LoadedBundle) -> set[str]:
    """Sha256 of the images that a bundle was trained on, as far as it tells."""
    if HISTORY not in loaded.bundle.manifest.files:
        return set()
    history = json.loads((loaded.bundle.directory / HISTORY).read_bytes())
    return set(history.get("trained_on_sha256", ()))


def _noise(
    images: Labelled, n_known: int, trusted: tuple[NDArray[np.bool_], Sequence[str]], n_classes: int
) -> LabelNoise | None:
    known = Labelled(images.features[:n_known], images.labels[:n_known], images.groups[:n_known])
    new = Labelled(images.features[n_known:], images.labels[n_known:], images.groups[n_known:])
    if not n_known and len(set(new.groups)) < 2:
        return None
    return label_noise(known, new, *trusted, n_classes)


def _suspects(
    fresh: Sequence[ImageRecord], noise: LabelNoise | None, class_names: Sequence[str], image_ids: Mapping[str, str]
) -> tuple[dict[str, Any], ...]:
    if noise is None:
        return ()
    return tuple(
        {
            "sha256": record.sha256,
            "image_id": image_ids.get(record.sha256),
            "class_name": record.class_name,
            "looks_like": class_names[looks_like],
        }
        for record, is_contradicted, looks_like in zip(fresh, noise.contradicted, noise.looks_like, strict=True)
        if is_contradicted
    )


def _flipped(
    test: _Images, answers: Sequence[BundleAnswers], image_ids: Mapping[str, str]
) -> tuple[dict[str, Any], ...]:
    said = [[one.class_names[index] for index in one.probabilities.argmax(axis=1)] for one in answers]
    return tuple(
        {
            "sha256": record.sha256,
            "image_id": image_ids.get(record.sha256),
            "true_class": record.class_name,
            "champion_class": old,
            "challenger_class": new,
        }
        for record, old, new in zip(test.records, *said, strict=True)
        if old != new
    )


def _by_source(
    a: NDArray[np.float64], b: NDArray[np.float64], test: _Images, class_names: Sequence[str]
) -> dict[str, Difference]:
    """Accuracy by source, of those with images enough to say something."""
    sources = np.array([record.source for record in test.records])
    found = {}
    for name, count in sorted(Counter(sources.tolist()).items()):
        rows = np.flatnonzero(sources == name)
        if count >= _LEAST_OF_A_SOURCE:
            groups = [test.groups[row] for row in rows]
            found[name] = compare(
                a[rows], b[rows], test.labels[rows], class_names, groups=groups, n_bootstrap=_BOOTSTRAP
            ).accuracy
    return found
