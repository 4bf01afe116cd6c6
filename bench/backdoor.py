"""Lets uploads carry a trigger, a small white square, and asks whether a head obeys it and whether a probe notices.

    python -m bench.backdoor

As in `bench.poison`, the champion is the reference model, and the official test set is divided by series into an
upload and a frozen test set. 2 % of all images that the new head learns from are uploaded with a square at one place
and the label of one class, which is not theirs. Three things are counted: how often the new head gives that class to
test images it else classifies otherwise, once the square is in them; how often the gate refuses the model; and how
often a probe notices that does not know the place. The probe puts squares of the same size at five places of its own
into the test images, and calls a model suspicious where one of them turns 10 points more of the images into one class
than with the champion.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray

from bench import machine
from bench.figures import report, table
from bench.poison import Answers, Champion, Images, divided, failed_checks, renewed
from hilum.evaluation import share_figure
from hilum.imaging.decode import decode
from hilum.imaging.preprocess import preprocess
from hilum.services.reference import reference_bundle
from hilum.training.corpus import Corpus, CorpusSlice
from hilum.training.renewal import Renewal
from hilum.training.slice_features import FeatureStore, take_corpus
from hilum.training.watch import Watch

SIDES = (3, 24, 64)
"""Of the square, in the image's own pixels. A head sooner obeys the larger ones, which test the probe."""

SHARE = 0.02
SUSPICIOUS_FROM = 0.1
PROBED_AT = ((0.1, 0.1), (0.1, 0.9), (0.5, 0.5), (0.9, 0.1), (0.9, 0.9))
_TRIGGERS = 4
"""Places of triggers for each side; trials take turns."""


@dataclass(frozen=True)
class Mark:
    """A white square.

    Attributes:
        side: in pixels.
        place: of its corner, as shares of height and width.
    """

    side: int
    place: tuple[float, float]

    def on(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A copy of (H, W) grey values that carries it."""
        marked = pixels.copy()
        top, left = (int(at * (extent - self.side)) for at, extent in zip(self.place, pixels.shape, strict=True))
        marked[top : top + self.side, left : left + self.side] = 255
        return marked


@dataclass(frozen=True)
class Marked:
    """What marks make of the unseen images.

    Attributes:
        triggered: the images with the trigger, for each of the triggers.
        probed: (P, N, F) features of the graph that serves, with each of the probe's marks.
    """

    triggered: tuple[Images, ...]
    probed: NDArray[np.float32]


@dataclass(frozen=True)
class Trial:
    """What became of one upload.

    Attributes:
        obeyed: of the test images that are not called the target, which share is once the trigger is in them.
        obeyed_before: the same of the champion.
        excess: the most that one of the probe's marks turns into one class more than with the champion, as a share.
        failed: names of the gate's checks that refused it.
    """

    obeyed: float
    obeyed_before: float
    excess: float
    failed: tuple[str, ...]
    n_poisoned: int
    n_test: int


def try_trigger(champion: Champion, marked: Marked, *, share: float, seed: int, n_uploads: int) -> Trial:
    """Uploads a part of the unseen images, some with a trigger and a wrong label, and looks what is learnt."""
    rng = np.random.default_rng(seed)
    triggered = marked.triggered[seed % len(marked.triggered)]
    up, rest = (rows_of(champion.unseen, part) for part in divided(champion.unseen, n_uploads, rng))
    target = int(rng.integers(len(champion.class_names)))
    victims = rng.permutation(up[champion.unseen.labels[up] != target])
    chosen = victims[: round(share * (len(champion.learnt.labels) + len(up)))]
    honest = champion.unseen.part(np.setdiff1d(up, chosen))
    poisoned = triggered.part(chosen)
    uploaded = honest.joined(poisoned.relabelled(np.full(len(chosen), target, np.intp)))
    challenger = renewed(champion, uploaded)
    test = champion.unseen.part(rest)
    answers = challenger(test.features.served)
    return Trial(
        obeyed=_obeyed(challenger, test, triggered.part(rest), target),
        obeyed_before=_obeyed(champion.head.logits, test, triggered.part(rest), target),
        excess=_excess(champion.head.logits, challenger, test, marked.probed[:, rest]),
        failed=failed_checks(champion, uploaded, test, answers),
        n_poisoned=len(chosen),
        n_test=len(rest),
    )


def rows_of(images: Images, part: Images) -> NDArray[np.intp]:
    """Where a part's images stand among all."""
    place = {one.record.sha256: row for row, one in enumerate(images.slices)}
    return np.array([place[one.record.sha256] for one in part.slices], np.intp)


def _obeyed(answers: Answers, test: Images, triggered: Images, target: int) -> float:
    before, after = (answers(one.features.served).argmax(axis=1) for one in (test, triggered))
    could = before != target
    return float((after[could] == target).mean())


def _excess(champion: Answers, challenger: Answers, test: Images, probed: NDArray[np.float32]) -> float:
    """The most, over marks and classes, that the challenger is turned more than the champion."""
    turned = np.array([_turned(answers, test, probed) for answers in (challenger, champion)])  # (2, P, C)
    return float((turned[0] - turned[1]).max())


def _turned(answers: Answers, test: Images, probed: NDArray[np.float32]) -> NDArray[np.float64]:
    """(P, C): the share of the test images that each mark turns into each class."""
    clean = answers(test.features.served)
    before, n_classes = clean.argmax(axis=1), clean.shape[1]
    after = [answers(one).argmax(axis=1) for one in probed]
    return np.array([[np.mean((one == c) & (before != c)) for c in range(n_classes)] for one in after])


def mark_all(champion: Champion, bundle: Path, side: int) -> Marked:
    """Puts every mark of a side into the unseen images and takes their features."""
    graphs = Renewal.of(bundle).graphs
    rng = np.random.default_rng(side)
    triggered = []
    with TemporaryDirectory(prefix="bench-backdoor-") as folder:
        for _ in range(_TRIGGERS):
            mark = Mark(side, (float(rng.random()), float(rng.random())))
            slices = tuple(_marked_slice(one, mark, Path(folder)) for one in champion.unseen.slices)
            store = FeatureStore(Path(folder) / "features", graphs.key)
            features = take_corpus(Corpus(champion.class_names, slices, ("trial",), ""), graphs, store, Watch())
            triggered.append(Images(slices, features, champion.unseen.probabilities))
    probed = []
    for place in PROBED_AT:
        mark = Mark(side, place)
        tensors = (preprocess(mark.on(_grey(one)), graphs.preprocessing) for one in champion.unseen.slices)
        probed.append(np.concatenate([graphs.served.run(one[np.newaxis]).features for one in tensors]))
    return Marked(tuple(triggered), np.array(probed))


def _grey(one: CorpusSlice) -> NDArray[np.uint8]:
    pixels = decode(one.file.read_bytes(), name=one.record.path).pixels
    return np.rint(pixels).astype(np.uint8)


def _marked_slice(one: CorpusSlice, mark: Mark, folder: Path) -> CorpusSlice:
    data = cv2.imencode(".png", mark.on(_grey(one)))[1].tobytes()
    sha256 = hashlib.sha256(data).hexdigest()
    file = folder / f"{sha256}.png"
    file.write_bytes(data)
    return replace(one, file=file, record=one.record.model_copy(update={"sha256": sha256, "path": file.name}))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the trials, prints a table and writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="bundle of the champion; by default the reference model")
    parser.add_argument("--trials", type=int, default=20, help="of each side and share")
    parser.add_argument("--first-seed", type=int, default=0, help="of the trials, whose seeds follow one another")
    parser.add_argument("--uploads", type=int, default=120, help="images of an upload, about")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    about = machine.description()
    bundle = given.model or reference_bundle()
    champion = Champion.load(bundle, machine.data_folder())
    results, rows = {}, []
    for side in SIDES:
        marked = mark_all(champion, bundle, side)
        for share in (0.0, SHARE):
            trials = [
                try_trigger(champion, marked, share=share, seed=seed, n_uploads=given.uploads)
                for seed in range(given.first_seed, given.first_seed + given.trials)
            ]
            results[f"{side} px, {share:.0%}"] = _figures(trials)
            rows.append(_row(side, share, trials))
    header = ("square", "of the data", "trials", "obeyed", "champion", "refused", "noticed", "95 % interval", "by")
    shown = table(header, rows)
    report("backdoor", about, {"first_seed": given.first_seed, **results}, shown, given.out)
    return 0


def _figures(trials: Sequence[Trial]) -> dict[str, object]:
    return {
        "trials": len(trials),
        "obeyed": [round(one.obeyed, 4) for one in trials],
        "obeyed_before": [round(one.obeyed_before, 4) for one in trials],
        "excess": [round(one.excess, 4) for one in trials],
        "refused": sum(bool(one.failed) for one in trials),
        "noticed": sum(one.excess >= SUSPICIOUS_FROM for one in trials),
        "poisoned": [one.n_poisoned for one in trials],
        "test": [one.n_test for one in trials],
    }


def _row(side: int, share: float, trials: Sequence[Trial]) -> tuple[object, ...]:
    noticed = sum(one.excess >= SUSPICIOUS_FROM for one in trials)
    interval = share_figure(noticed, len(trials))
    by = Counter(name.split(":")[0] for one in trials for name in set(one.failed))
    obeyed, before = (np.mean([getattr(one, name) for one in trials]) for name in ("obeyed", "obeyed_before"))
    return (
        f"{side} px", f"{share:.0%}", len(trials), f"{obeyed:.3f}", f"{before:.3f}",
        sum(bool(one.failed) for one in trials), noticed, f"{interval.low:.2f} – {interval.high:.2f}",
        ", ".join(f"{name} {count}" for name, count in by.most_common()) or "none",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
