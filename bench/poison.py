"""Lets uploads with flipped labels try the promotion gate: how often it refuses, and how often it refuses clean ones.

    python -m bench.poison

The champion is the reference model, which has not seen a single image of the official test set. In each trial that set
is divided by series: about 120 images are uploaded, the others are the frozen test set. So many of the upload's labels
are flipped to another class at random; a new linear head is fitted on the champion's features of its own training
images and the upload, made as sure as the champion is, and judged by the gate's checks of answers and labels. Trials
are seeded: the same seed divides alike at every share of flips. The exit code is 1 where the gate refuses fewer than
19 of 20 at any share from 20 to 40 %.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from bench import machine
from bench.figures import report, table
from hilum.dataset.importer import import_dataset
from hilum.dataset.manifest import ImageRecord
from hilum.evaluation import share_figure
from hilum.evaluation.label_noise import Labelled, label_noise
from hilum.inference.bundle import HISTORY
from hilum.inference.calibration import calibrated_probabilities
from hilum.services.bundle_answers import LoadedBundle, answer_all
from hilum.services.promotion import GateRules, answer_checks
from hilum.services.reference import reference_bundle

SHARES = (0.0, 0.2, 0.3, 0.4)
LEAST_REFUSED = 0.95
_PENALTY = 0.01
_HOTTEST = 50.0


@dataclass(frozen=True)
class Images:
    """What the champion says of images.

    Attributes:
        features: (N, F) float32.
        probabilities: (N, C).
        labels: (N,) true class indices.
        groups: (N,) series.
    """

    features: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    labels: NDArray[np.intp]
    groups: NDArray[np.str_]

    def part(self, rows: NDArray[np.intp]) -> Images:
        """Some of them."""
        return Images(self.features[rows], self.probabilities[rows], self.labels[rows], self.groups[rows])

    def labelled(self, labels: NDArray[np.intp]) -> Labelled:
        """The images with these labels."""
        return Labelled(self.features, labels, self.groups.tolist())


@dataclass(frozen=True)
class Trial:
    """What became of one upload.

    Attributes:
        failed: names of the checks that refused it.
        accuracy: of champion and challenger on the frozen test set.
    """

    failed: tuple[str, ...]
    n_uploaded: int
    n_flipped: int
    n_test: int
    accuracy: tuple[float, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the trials, prints a table and writes the JSON; 1 where the gate lets too many through."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="bundle of the champion; by default the reference model")
    parser.add_argument("--trials", type=int, default=20, help="of each share of flips")
    parser.add_argument("--first-seed", type=int, default=0, help="of the trials, whose seeds follow one another")
    parser.add_argument("--uploads", type=int, default=120, help="images of an upload, about")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    about = machine.description()
    learnt, unseen, class_names = answers_of(given.model or reference_bundle(), machine.data_folder())
    results, rows, is_enough = {}, [], True
    for share in SHARES:
        trials = [
            try_upload(learnt, unseen, class_names, share=share, seed=seed, n_uploads=given.uploads)
            for seed in range(given.first_seed, given.first_seed + given.trials)
        ]
        refused = sum(bool(trial.failed) for trial in trials)
        is_enough &= share == 0 or refused >= LEAST_REFUSED * given.trials
        interval = share_figure(refused, given.trials)
        by = Counter(name.split(":")[0] for trial in trials for name in set(trial.failed))
        lost = float(np.mean([one.accuracy[1] - one.accuracy[0] for one in trials]))
        results[f"{share:.0%}"] = {
            "trials": given.trials, "refused": refused, "by_check": dict(by), "accuracy_change": round(lost, 4),
            "uploaded": [one.n_uploaded for one in trials], "flipped": [one.n_flipped for one in trials],
        }  # fmt: skip
        rows.append(
            (f"{share:.0%}", given.trials, refused, f"{interval.low:.2f} – {interval.high:.2f}", f"{lost:+.4f}",
             ", ".join(f"{name} {count}" for name, count in by.most_common()) or "none")
        )  # fmt: skip
    shown = table(("flipped", "trials", "refused", "95 % interval", "accuracy change", "refused by"), rows)
    report("poison", about, {"first_seed": given.first_seed, **results}, shown, given.out)
    return 0 if is_enough else 1


def answers_of(bundle: Path, data: Path) -> tuple[Images, Images, tuple[str, ...]]:
    """What the champion says of the images it learnt and of those it never saw."""
    loaded = LoadedBundle.load(bundle)
    history = json.loads((bundle / HISTORY).read_bytes())
    known = set(history["trained_on_sha256"])
    manifest = import_dataset(data / "chest-ct-scan-images", groups="series")
    records = {record.sha256: record for record in manifest.records}
    learnt = [record for record in records.values() if record.sha256 in known]
    unseen = [record for record in records.values() if record.split == "test" and record.sha256 not in known]
    names = loaded.bundle.manifest.class_names

    def images(some: Sequence[ImageRecord]) -> Images:
        (answers,) = answer_all([loaded], some, manifest.root)
        labels = np.array([names.index(record.class_name) for record in some], np.intp)
        return Images(answers.features, answers.probabilities, labels, np.array([record.group for record in some]))

    return images(learnt), images(unseen), names


def try_upload(
    learnt: Images, unseen: Images, class_names: Sequence[str], *, share: float, seed: int, n_uploads: int
) -> Trial:
    """Uploads a part of the unseen images with so many labels flipped, and asks the gate."""
    rng = np.random.default_rng(seed)
    up, rest = _divided(unseen, n_uploads, rng)
    is_flipped = rng.random(len(up.labels)) < share
    other = (up.labels + rng.integers(1, len(class_names), len(up.labels))) % len(class_names)
    labels = np.where(is_flipped, other, up.labels).astype(np.intp)
    challenger = _new_head(learnt, up, labels, rest)
    rules = GateRules()
    is_wrong = rest.probabilities.argmax(axis=1) != rest.labels
    noise = label_noise(
        learnt.labelled(learnt.labels), up.labelled(labels), is_wrong, rest.groups.tolist(), len(class_names)
    )
    checks, _ = answer_checks(
        rest.probabilities, challenger, rest.labels, class_names, rest.groups.tolist(), noise=noise, rules=rules
    )
    accuracy = tuple(float((one.argmax(axis=1) == rest.labels).mean()) for one in (rest.probabilities, challenger))
    return Trial(
        failed=tuple(check.name for check in checks if not check.passed),
        n_uploaded=len(labels),
        n_flipped=int(is_flipped.sum()),
        n_test=len(rest.labels),
        accuracy=(accuracy[0], accuracy[1]),
    )


def _divided(images: Images, n_uploads: int, rng: np.random.Generator) -> tuple[Images, Images]:
    chosen: list[int] = []
    for group in rng.permutation(np.unique(images.groups)):
        if len(chosen) >= n_uploads:
            break
        chosen.extend(np.flatnonzero(images.groups == group).tolist())
    up = np.array(sorted(chosen), np.intp)
    return images.part(up), images.part(np.setdiff1d(np.arange(len(images.labels)), up))


def _new_head(learnt: Images, up: Images, labels: NDArray[np.intp], test: Images) -> NDArray[np.float64]:
    """Probabilities that a head fitted on both gives the test set, as sure as the champion on what it learnt."""
    mean, deviation = learnt.features.mean(axis=0), learnt.features.std(axis=0) + 1e-3
    scaled = [(images.features - mean) / deviation for images in (learnt, up, test)]
    head = LogisticRegression(C=_PENALTY, class_weight="balanced", max_iter=1000)
    head.fit(np.concatenate(scaled[:2]), np.concatenate([learnt.labels, labels]))
    confidence = float(learnt.probabilities.max(axis=1).mean())
    temperature = _temperature(head.decision_function(scaled[0]), confidence)
    return calibrated_probabilities(head.decision_function(scaled[2]).astype(np.float32), temperature)


def _temperature(logits: NDArray[Any], confidence: float) -> float:
    """At which the mean top probability is `confidence`; at least 0.02."""
    low, high = 1 / _HOTTEST, _HOTTEST
    for _ in range(40):
        middle = float(np.sqrt(low * high))
        is_surer = calibrated_probabilities(logits.astype(np.float32), middle).max(axis=1).mean() > confidence
        low, high = (middle, high) if is_surer else (low, middle)
    return high


if __name__ == "__main__":
    sys.exit(main())
