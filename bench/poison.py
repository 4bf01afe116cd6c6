"""Lets uploads with flipped labels try the promotion gate: how often it refuses, and how often it refuses clean ones.

    python -m bench.poison

The champion is the reference model, which has not seen a single image of the official test set. In each trial that set
is divided by series: about 120 images are uploaded, the others are the frozen test set. So many of the upload's labels
are flipped to another class at random; the champion's head is renewed on its own training images and the upload by
what a retraining run does with them, and judged by the gate's checks of answers and labels. Trials
are seeded: the same seed divides alike at every share of flips. The exit code is 1 where the gate refuses fewer than
19 of 20 at any share from 20 to 40 %.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from bench import machine
from bench.figures import report, table
from hilum.dataset.importer import import_dataset
from hilum.evaluation import share_figure
from hilum.evaluation.label_noise import Labelled, label_noise
from hilum.inference.calibration import calibrated_probabilities
from hilum.services.bundle_answers import LoadedBundle, answer_all
from hilum.services.promotion import GateRules, answer_checks
from hilum.services.reference import reference_bundle
from hilum.training.corpus import Corpus, CorpusSlice
from hilum.training.fit_settings import head_settings
from hilum.training.linear_head import LinearHead
from hilum.training.new_head import learn_head
from hilum.training.parent import Parent
from hilum.training.renewal import Renewal
from hilum.training.slice_features import CorpusFeatures, FeatureStore, take_corpus
from hilum.training.watch import Watch

SHARES = (0.0, 0.2, 0.3, 0.4)
LEAST_REFUSED = 0.95

Answers = Callable[[NDArray[np.float32]], NDArray[np.float64]]


@dataclass(frozen=True)
class Images:
    """N images, what the champion says of them, and what a run takes of them.

    Attributes:
        slices: with their labels.
        features: as a run takes them.
        probabilities: (N, C) of the champion.
    """

    slices: tuple[CorpusSlice, ...]
    features: CorpusFeatures
    probabilities: NDArray[np.float64]

    @cached_property
    def labels(self) -> NDArray[np.intp]:
        """(N,) class indices."""
        return np.array([one.allowed[0] for one in self.slices], np.intp)

    @cached_property
    def groups(self) -> list[str]:
        """(N,) series."""
        return [one.record.group for one in self.slices]

    def part(self, rows: NDArray[np.intp]) -> Images:
        """Some of them."""
        mine = self.features
        statistics = tuple(mine.statistics[row] for row in rows)
        features = CorpusFeatures(mine.views[:, rows], mine.served[rows], mine.sketches[rows], statistics)
        return Images(tuple(self.slices[row] for row in rows), features, self.probabilities[rows])

    def relabelled(self, labels: NDArray[np.intp]) -> Images:
        """The same with other labels."""
        slices = (replace(one, allowed=(int(label),)) for one, label in zip(self.slices, labels, strict=True))
        return Images(tuple(slices), self.features, self.probabilities)

    def joined(self, others: Images) -> Images:
        """These and then those."""
        mine, theirs = self.features, others.features
        features = CorpusFeatures(
            np.concatenate([mine.views, theirs.views], axis=1),
            np.concatenate([mine.served, theirs.served]),
            np.concatenate([mine.sketches, theirs.sketches]),
            mine.statistics + theirs.statistics,
        )
        probabilities = np.concatenate([self.probabilities, others.probabilities])
        return Images(self.slices + others.slices, features, probabilities)

    def labelled(self) -> Labelled:
        """As the check of labels wants them."""
        return Labelled(self.features.served, self.labels, self.groups)


@dataclass(frozen=True)
class Champion:
    """The model that is renewed.

    Attributes:
        parent: its bundle.
        head: its head.
        learnt: images that it was trained on.
        unseen: the official test set without what it was trained on.
    """

    parent: Parent
    head: LinearHead
    learnt: Images
    unseen: Images

    @property
    def class_names(self) -> tuple[str, ...]:
        """The columns of probabilities."""
        return self.parent.manifest.class_names

    @classmethod
    def load(cls, bundle: Path, data: Path) -> Champion:
        """Opens it and takes the images' features, as a run does that keeps none."""
        renewal = Renewal.of(bundle)
        parent = renewal.parent
        manifest = import_dataset(data / "chest-ct-scan-images", groups="series")
        names = parent.manifest.class_names
        records = {record.sha256: record for record in manifest.records}
        learnt = [record for record in records.values() if record.sha256 in parent.known]
        unseen = [one for one in records.values() if one.split == "test" and one.sha256 not in parent.known]
        both = [*learnt, *unseen]
        slices = tuple(CorpusSlice(manifest.path_of(one), one, (names.index(one.class_name),), 0) for one in both)
        with TemporaryDirectory(prefix="bench-poison-") as folder:
            store = FeatureStore(Path(folder), renewal.graphs.key)
            features = take_corpus(Corpus(names, slices, ("trial",), ""), renewal.graphs, store, Watch())
        (answers,) = answer_all([LoadedBundle.load(bundle)], both, manifest.root)
        images, rows = Images(slices, features, answers.probabilities), np.arange(len(both))
        return cls(parent, renewal.head, images.part(rows[: len(learnt)]), images.part(rows[len(learnt) :]))


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
    champion = Champion.load(given.model or reference_bundle(), machine.data_folder())
    results, rows, is_enough = {}, [], True
    for share in SHARES:
        trials = [
            try_upload(champion, share=share, seed=seed, n_uploads=given.uploads)
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


def try_upload(champion: Champion, *, share: float, seed: int, n_uploads: int) -> Trial:
    """Uploads a part of the unseen images with so many labels flipped, and asks the gate."""
    rng = np.random.default_rng(seed)
    up, rest = divided(champion.unseen, n_uploads, rng)
    is_flipped = rng.random(len(up.labels)) < share
    other = (up.labels + rng.integers(1, len(champion.class_names), len(up.labels))) % len(champion.class_names)
    uploaded = up.relabelled(np.where(is_flipped, other, up.labels).astype(np.intp))
    challenger = renewed(champion, uploaded)(rest.features.served)
    accuracy = tuple(float((one.argmax(axis=1) == rest.labels).mean()) for one in (rest.probabilities, challenger))
    return Trial(
        failed=failed_checks(champion, uploaded, rest, challenger),
        n_uploaded=len(uploaded.labels),
        n_flipped=int(is_flipped.sum()),
        n_test=len(rest.labels),
        accuracy=(accuracy[0], accuracy[1]),
    )


def failed_checks(
    champion: Champion, uploaded: Images, rest: Images, challenger: NDArray[np.float64]
) -> tuple[str, ...]:
    """Names of the gate's checks of answers and labels that refuse a challenger, (N, C) of which are of `rest`."""
    is_wrong = rest.probabilities.argmax(axis=1) != rest.labels
    noise = label_noise(
        champion.learnt.labelled(), uploaded.labelled(), is_wrong, rest.groups, len(champion.class_names)
    )
    checks, _ = answer_checks(
        rest.probabilities,
        challenger,
        rest.labels,
        champion.class_names,
        rest.groups,
        noise=noise,
        rules=GateRules(),
    )
    return tuple(check.name for check in checks if not check.passed)


def divided(images: Images, n_uploads: int, rng: np.random.Generator) -> tuple[Images, Images]:
    """Splits images by series: about so many to upload, and the others."""
    groups = np.array(images.groups)
    chosen: list[int] = []
    for group in rng.permutation(np.unique(groups)):
        if len(chosen) >= n_uploads:
            break
        chosen.extend(np.flatnonzero(groups == group).tolist())
    up = np.array(sorted(chosen), np.intp)
    return images.part(up), images.part(np.setdiff1d(np.arange(len(groups)), up))


def renewed(champion: Champion, uploaded: Images) -> Answers:
    """The champion with a new head, on the graph that serves: probabilities (N, C) for features (N, F)."""
    images = champion.learnt.joined(uploaded)
    new = learn_head(
        Corpus(champion.class_names, images.slices, ("trial",), ""),
        images.features,
        champion.parent,
        champion.head,
        settings=head_settings(None, starts_warm=True),
        progress=lambda *_: None,
        watch=Watch(),
    )
    return lambda served: calibrated_probabilities(new.fitted.head.logits(served), new.decision.temperature)


if __name__ == "__main__":
    sys.exit(main())
