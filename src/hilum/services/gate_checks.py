"""The checks a challenger must pass, each a comparison with a margin and its reason. Knows figures, not how they come.

Every margin is a bound on harm that must be shown, not only not be seen: the bound of the paired interval must lie
inside it (non-inferiority). So a small test set refuses what a large one would let through. A challenger that is right
and wrong on the very images that the champion is passes, though few images bound its harm to less than they can show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hilum.evaluation import PairedTest
from hilum.evaluation.differences import Difference, Differences
from hilum.evaluation.label_noise import LabelNoise
from hilum.inference.manifest import Manifest


@dataclass(frozen=True)
class GateRules:
    """How much worse a challenger may be.

    Attributes:
        accuracy: 3 points; the champion's own 95 % interval on 315 images is 2.4 points to each side, so that less
            could not be shown to be lost even by a model that is as good.
        recall: 15 points of each class; where a class has 30 test images, a single one that is lost moves the bound by
            10 to 14 points, and one slice must not decide.
        source: 10 points of the accuracy on each source of images.
        expected_calibration_error: 5 points.
        log_loss: 0.1 nats: on average the true class is given at least 90 % of the probability it had.
        refused: 2 points more of the test images taken for no chest CT.
        label_noise: 2 points more of the new labels contradicted than the champion errs on the test set, at the
            interval's bound.
        seconds, bytes: times as slow on one core, and as large, as the champion.
        agreement, probability_difference: of Keras and the graph that serves, from the manifest.
        least_images: of the test set; fewer show nothing.
        least_new: images whose labels can be judged together; a few wrong ones of fewer change no model.
    """

    accuracy: float = 0.03
    recall: float = 0.15
    source: float = 0.10
    expected_calibration_error: float = 0.05
    log_loss: float = 0.10
    refused: float = 0.02
    label_noise: float = 0.02
    seconds: float = 1.5
    bytes: float = 1.5
    agreement: float = 0.99
    probability_difference: float = 0.1
    least_images: int = 20
    least_new: int = 20


@dataclass(frozen=True)
class Check:
    """One comparison.

    Attributes:
        name: of the check; of a class's recall `recall:CLASS`.
        passed: whether the challenger may serve as far as this goes.
        detail: in words.
        champion, challenger: the figures compared; None where there is none.
        margin: how much worse it may be.
    """

    name: str
    passed: bool
    detail: str
    champion: float | None = None
    challenger: float | None = None
    margin: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The check as JSON types."""
        return asdict(self)


def size_of_test_set(n: int, rules: GateRules) -> Check:
    """Enough images to show anything."""
    detail = f"{n} test images; at least {rules.least_images} are needed"
    return Check("test-images", n >= rules.least_images, detail, margin=rules.least_images)


def classes_kept(champion: Manifest, challenger: Manifest) -> Check:
    """No class is forgotten; new ones may come."""
    lost = sorted(set(champion.class_names) - set(challenger.class_names))
    added = sorted(set(challenger.class_names) - set(champion.class_names))
    said = f"without {', '.join(lost)}" if lost else f"new: {', '.join(added)}" if added else "the same"
    return Check("classes", not lost, said, len(champion.class_names), len(challenger.class_names))


def not_lower(name: str, found: Difference, margin: float) -> Check:
    """A measure that is better where it is higher. What no resample tells apart is kept, however few the images."""
    is_kept = found.is_same and found.value == 0
    said = "no difference" if is_kept else f"difference {found.value:+.4f}"
    detail = f"{said}, at worst {found.low:+.4f} (n {found.n})"
    return Check(name, is_kept or found.low > -margin, detail, found.a, found.b, margin)


def not_higher(name: str, found: Difference, margin: float) -> Check:
    """A measure that is better where it is lower."""
    detail = f"difference {found.value:+.4f}, at worst {found.high:+.4f} (n {found.n})"
    return Check(name, found.high < margin, detail, found.a, found.b, margin)


def measures(found: Differences, rules: GateRules) -> list[Check]:
    """Accuracy, each class's recall, and calibration."""
    return [
        not_lower("accuracy", found.accuracy, rules.accuracy),
        *(not_lower(f"recall:{name}", recall, rules.recall) for name, recall in found.recall.items()),
        not_higher("calibration", found.expected_calibration_error, rules.expected_calibration_error),
        not_higher("log-loss", found.log_loss, rules.log_loss),
    ]


def not_significantly_worse(test: PairedTest) -> Check:
    """McNemar's test does not say that the challenger is worse (A is the champion)."""
    is_worse = test.only_a > test.only_b and test.p_value < 0.05
    detail = (
        f"{test.only_a} images that only the champion has right, {test.only_b} that only the challenger has; "
        f"p {test.p_value:.4f}"
    )
    return Check("mcnemar", not is_worse, detail, test.only_a, test.only_b, 0.05)


def gate_kept(champion: tuple[Manifest, float], challenger: tuple[Manifest, float], rules: GateRules) -> Check:
    """What is no chest CT is still refused, and chest CTs are not refused more often."""
    (old, old_share), (new, new_share) = champion, challenger
    name, margin = "not-a-chest-ct", rules.refused
    if old.gate is None or new.gate is None:
        passed = old.gate is None
        detail = "the champion has none" if passed else "the challenger has no gate, and the champion has one"
        return Check(name, passed, detail, old_share, new_share, margin)
    is_same = old.files[old.gate.file] == new.files[new.gate.file]
    detail = "the same gate" if is_same else "another gate"
    return Check(name, new_share <= old_share + margin, f"{detail}; share of test images refused", old_share,
                 new_share, margin)  # fmt: skip


def within_factor(name: str, unit: str, champion: float, challenger: float, factor: float) -> Check:
    """Latency or size."""
    detail = f"{champion:.4g} {unit}, then {challenger:.4g} {unit}"
    return Check(name, challenger <= factor * champion, detail, champion, challenger, factor)


def graphs_agree(challenger: Manifest, rules: GateRules) -> Check:
    """The graph that serves answers as the Keras model did, by the challenger's manifest."""
    served = challenger.engine_files[0]
    parity = challenger.parity.get(served)
    if parity is None:
        return Check("parity", False, f"the manifest does not compare {served} with Keras")
    passed = parity.agreement >= rules.agreement and parity.max_probability_difference <= rules.probability_difference
    detail = (
        f"{served} and Keras agree on {parity.agreement:.4f} of {parity.n} slices, probabilities differ by at most "
        f"{parity.max_probability_difference:.4f}"
    )
    return Check("parity", passed, detail, None, parity.agreement, rules.agreement)


def labels_agree(found: LabelNoise | None, rules: GateRules) -> Check:
    """The labels of new images are not contradicted much more often than those of the test set."""
    if found is None:
        return Check("new-labels", True, f"fewer than {rules.least_new} new images, or of one group: nothing to judge")
    detail = (
        f"{int(found.contradicted.sum())} of {len(found.contradicted)} new labels contradict what the other images "
        f"teach; more than the champion errs on the test set, by at least {max(0.0, found.low):.3f}"
    )
    return Check("new-labels", found.low <= rules.label_noise, detail, found.trusted_share, found.share,
                 rules.label_noise)  # fmt: skip


def sources_kept(found: Mapping[str, Difference], rules: GateRules) -> list[Check]:
    """No source of images is forgotten."""
    return [not_lower(f"source:{name}", difference, rules.source) for name, difference in found.items()]
