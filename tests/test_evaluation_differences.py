"""Differences of two classifiers on the same images, and labels that the others contradict."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hilum.evaluation.differences import compare
from hilum.evaluation.label_noise import Labelled, label_noise

CLASSES = ("one", "two", "three")
TRUSTED = np.arange(150) % 12 == 0, [index // 3 for index in range(150)]
"""A champion that errs on 13 of 150 test images."""


def answers(labels: NDArray[np.intp], wrong: list[int]) -> NDArray[np.float64]:
    """Probabilities 0.8 for the label, or for the class after it where the answer is to be wrong."""
    said = labels.copy()
    said[wrong] = (said[wrong] + 1) % len(CLASSES)
    return np.where(np.eye(len(CLASSES))[said] > 0, 0.8, 0.1)


def test_differences_are_those_of_the_measures() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2], np.intp)
    found = compare(answers(labels, [0]), answers(labels, [0, 4, 5]), labels, CLASSES)

    assert (found.accuracy.a, found.accuracy.b) == pytest.approx((0.9, 0.7))
    assert found.accuracy.value == pytest.approx(-0.2)
    assert found.accuracy.low < -0.2 < found.accuracy.high <= 0
    assert found.recall["one"].value == 0
    assert found.recall["one"].is_same
    assert found.recall["two"].value == pytest.approx(-2 / 3)
    assert found.log_loss.value == pytest.approx(0.2 * np.log(8))


def test_what_is_hard_for_both_cancels_out() -> None:
    labels = np.arange(300, dtype=np.intp) % 3
    hard = list(range(60))
    same = compare(answers(labels, hard), answers(labels, hard), labels, CLASSES)
    assert (same.log_loss.low, same.log_loss.high) == (0, 0)
    assert same.accuracy.high == -same.accuracy.low == pytest.approx(1.644854**2 / (300 + 1.644854**2))  # Tango's
    one_more = compare(answers(labels, hard), answers(labels, [*hard, 100]), labels, CLASSES)
    assert one_more.accuracy.low > -0.015


def test_no_difference_seen_on_few_groups_bounds_little() -> None:
    labels = np.arange(120, dtype=np.intp) % 3
    same = compare(answers(labels, [0]), answers(labels, [0]), labels, CLASSES, groups=[n // 12 for n in range(120)])
    assert same.accuracy.low == pytest.approx(-(1.644854**2) / (10 + 1.644854**2))
    assert same.recall["one"].low == same.accuracy.low


def test_the_bound_of_a_difference_covers_what_few_images_hide() -> None:
    """A challenger that loses one image in a hundred: on 80 images often none, and then the bound had no width."""
    rng, labels, trials = np.random.default_rng(5), np.zeros(80, np.intp), 300
    same = covered = 0
    for trial in range(trials):
        lost = np.flatnonzero(rng.random(80) < 0.01).tolist()
        found = compare(answers(labels, []), answers(labels, lost), labels, CLASSES, n_bootstrap=100, seed=trial)
        same += found.accuracy.is_same
        covered += found.accuracy.low <= -0.01
    assert same > 0.3 * trials
    assert covered > 0.95 * trials


def test_groups_widen_the_interval() -> None:
    labels = np.arange(120, dtype=np.intp) % 3
    wrong = list(range(24))
    alone = compare(answers(labels, []), answers(labels, wrong), labels, CLASSES)
    grouped = compare(
        answers(labels, []), answers(labels, wrong), labels, CLASSES, groups=[n // 24 for n in range(120)]
    )
    assert grouped.accuracy.low < alone.accuracy.low


def test_a_class_without_images_has_no_difference() -> None:
    labels = np.array([0, 0, 1, 1], np.intp)
    assert set(compare(answers(labels, []), answers(labels, [0]), labels, CLASSES).recall) == {"one", "two"}


def clouds(n: int, seed: int, *, first_group: int = 0) -> Labelled:
    """Three clouds of features, a class each, in groups of three."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n).astype(np.intp)
    features = (3 * np.eye(3, 20)[labels] + rng.normal(0, 1, (n, 20))).astype(np.float32)
    return Labelled(features, labels, [first_group + index // 3 for index in range(n)])


def flipped(images: Labelled, share: float, seed: int) -> tuple[Labelled, NDArray[np.bool_]]:
    """The images with so many labels changed, and which."""
    rng = np.random.default_rng(seed)
    is_flipped = rng.random(len(images)) < share
    labels = np.where(is_flipped, (images.labels + rng.integers(1, 3, len(images))) % 3, images.labels)
    return Labelled(images.features, labels.astype(np.intp), images.groups), is_flipped


@pytest.mark.parametrize("n_known", [0, 20, 300])
def test_flipped_labels_are_found_and_true_ones_are_not_blamed(n_known: int) -> None:
    known, new = clouds(n_known, 1), clouds(120, 2, first_group=1000)

    clean = label_noise(known, new, *TRUSTED, 3)
    poisoned, is_flipped = flipped(new, 0.3, 4)
    found = label_noise(known, poisoned, *TRUSTED, 3)

    assert clean.low < 0.02
    assert found.low > 0.1
    assert found.contradicted[is_flipped].mean() > 0.85
    assert found.contradicted[~is_flipped].mean() < 0.2
    right = found.contradicted & is_flipped
    assert (found.looks_like[right] == new.labels[right]).mean() > 0.85


@pytest.mark.parametrize("n_known", [0, 300])
def test_many_features_are_judged_as_few_are(n_known: int) -> None:
    """A network's features outnumber the images; what most of them say is nothing."""
    known, new = wide(clouds(n_known, 1)), wide(clouds(150, 2, first_group=1000))
    poisoned, is_flipped = flipped(new, 0.3, 4)
    found = label_noise(known, poisoned, *TRUSTED, 3)
    assert label_noise(known, new, *TRUSTED, 3).low < 0.02
    assert found.contradicted[is_flipped].mean() > 0.85
    assert found.contradicted[~is_flipped].mean() < 0.2


def wide(images: Labelled) -> Labelled:
    """The same images with 600 features that say together what 20 did."""
    mixed = images.features @ np.random.default_rng(0).normal(0, 1, (20, 600)).astype(np.float32)
    return Labelled(mixed, images.labels, images.groups)


def test_a_rare_class_is_not_blamed_for_being_rare() -> None:
    known, new = with_few(clouds(1500, 1), 40), with_few(clouds(1500, 2, first_group=1000), 40)
    found = label_noise(known, new, *TRUSTED, 3)
    assert found.contradicted[new.labels == 2].mean() < 0.15
    assert found.contradicted[new.labels != 2].mean() < 0.15


def with_few(images: Labelled, n: int) -> Labelled:
    """The images, with so many of the last class."""
    rows = np.flatnonzero((images.labels != 2) | (np.cumsum(images.labels == 2) <= n))
    return Labelled(images.features[rows], images.labels[rows], [images.groups[row] for row in rows])


def test_a_class_that_nothing_shows_is_no_class_of_any_image() -> None:
    known, new = clouds(300, 1), clouds(120, 2, first_group=1000)
    found = label_noise(known, new, *TRUSTED, 5)
    assert set(found.looks_like) == {0, 1, 2}
    assert found.low < 0.02


def test_a_new_kind_of_image_with_labels_that_agree_is_no_noise() -> None:
    """Another scanner shifts the features; the classifier learns that from the other new images."""
    known = clouds(300, 1)
    new = clouds(150, 2, first_group=1000)
    shifted = Labelled(new.features + np.float32(2) * np.eye(1, 20, 10, dtype=np.float32), new.labels, new.groups)
    assert label_noise(known, shifted, *TRUSTED, 3).low < 0.02
