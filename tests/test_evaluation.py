"""Figures agree with scikit-learn, intervals cover what they should, and the whole survives JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from hilum.evaluation import Evaluation, evaluate, mcnemar

NAMES = ("adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma")
CANCERS = (NAMES[0], NAMES[1], NAMES[3])


def draw_case(
    seed: int, n: int = 200, count: int = 4, *, ties: bool = False, missing: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, count - missing, n)
    scores = rng.normal(size=(n, count)) + 1.5 * np.eye(count)[labels]
    if ties:
        scores = np.round(scores)
    probabilities = np.exp(scores)
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("missing", [False, True])
def test_class_figures_agree_with_scikit_learn(seed: int, ties: bool, missing: bool) -> None:
    probabilities, labels = draw_case(seed, ties=ties, missing=missing)
    result = evaluate(probabilities, labels, NAMES, n_bootstrap=0)
    predicted = probabilities.argmax(axis=1)

    assert result.accuracy.value == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert np.array_equal(result.confusion_matrix, metrics.confusion_matrix(labels, predicted, labels=range(4)))
    for average in ("macro", "weighted", None):
        theirs = metrics.precision_recall_fscore_support(
            labels, predicted, labels=range(4), average=average, zero_division=0
        )
        for index, name in enumerate(("precision", "recall", "f1")):
            if average:
                ours = getattr(result, f"{average}_{name}").value
            else:
                ours = [getattr(c, name).value for c in result.per_class]
            assert ours == pytest.approx(theirs[index])
    present = [c.recall.value for c in result.per_class if c.support]
    assert result.balanced_accuracy.value == pytest.approx(np.mean(present))
    if not missing:
        assert result.balanced_accuracy.value == pytest.approx(metrics.balanced_accuracy_score(labels, predicted))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ties", [False, True])
def test_probability_figures_agree_with_scikit_learn(seed: int, ties: bool) -> None:
    probabilities, labels = draw_case(seed, ties=ties)
    result = evaluate(probabilities, labels, NAMES, cancer_class_names=CANCERS, n_bootstrap=0)

    theirs = metrics.roc_auc_score(labels, probabilities, multi_class="ovr", average=None)
    assert [c.auroc.value for c in result.per_class] == pytest.approx(theirs)
    assert result.macro_auroc.value == pytest.approx(np.mean(theirs))
    assert result.log_loss.value == pytest.approx(metrics.log_loss(labels, probabilities))
    one_hot = np.eye(4)[labels]
    assert result.brier_score.value == pytest.approx(((probabilities - one_hot) ** 2).sum(axis=1).mean())

    truth, score = labels != 2, np.round(1 - probabilities[:, 2], 12)
    assert result.cancer is not None
    assert result.cancer.auroc.value == pytest.approx(metrics.roc_auc_score(truth, score))
    assert result.cancer.sensitivity.value == pytest.approx(metrics.recall_score(truth, score >= 0.5))
    assert result.cancer.specificity.value == pytest.approx(metrics.recall_score(~truth, score < 0.5))
    assert result.cancer.sensitivity.n == truth.sum()


def test_roc_curve_has_few_points_and_the_area_under_it() -> None:
    probabilities, labels = draw_case(0, n=5000)
    for c in evaluate(probabilities, labels, NAMES, n_bootstrap=0).per_class:
        x, y = np.array(c.roc).T
        assert len(x) <= 100
        assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
        assert (np.diff(x) >= 0).all()
        assert (np.diff(y) >= 0).all()
        assert np.trapezoid(y, x) == pytest.approx(c.auroc.value, abs=0.005)


def test_the_roc_curve_turns_where_it_turns_and_nowhere_else() -> None:
    scores, truth = np.array([0.9, 0.8, 0.7, 0.6, 0.6, 0.5]), [1, 1, 0, 1, 0, 0]
    result = evaluate(np.stack([1 - scores, scores], axis=1), truth, ("a", "b"), n_bootstrap=0)
    # Two right, one wrong, a tie of one right and one wrong, one wrong.
    expected = [(0, 0), (0, 2 / 3), (1 / 3, 2 / 3), (2 / 3, 1), (1, 1)]
    assert np.array(result.per_class[1].roc) == pytest.approx(np.array(expected))


def test_calibration_error_is_that_of_guo_et_al() -> None:
    # Two bins: 0.8 said and 0.5 right (4 images), 0.6 said and 1.0 right (2 images).
    probabilities = [[0.8, 0.2]] * 4 + [[0.4, 0.6]] * 2
    result = evaluate(probabilities, [0, 0, 1, 1, 1, 1], ("a", "b"), n_bootstrap=0)
    assert result.expected_calibration_error.value == pytest.approx(4 / 6 * 0.3 + 2 / 6 * 0.4)
    filled = [b for b in result.reliability if b.n]
    assert [(b.n, b.accuracy) for b in filled] == [(2, 1.0), (4, 0.5)]
    assert [b.mean_confidence for b in filled] == pytest.approx([0.6, 0.8])
    assert len(result.reliability) == 15


def test_certain_and_right_is_perfect() -> None:
    result = evaluate(np.eye(4)[[0, 1, 2, 3]], [0, 1, 2, 3], NAMES, n_bootstrap=50)
    for figure in (result.accuracy, result.macro_f1, result.macro_auroc):
        assert figure.value == 1
    for figure in (result.expected_calibration_error, result.brier_score, result.log_loss):
        assert figure.value == 0


def test_missing_class_counts_as_zero_has_no_auroc_and_is_noted() -> None:
    probabilities, labels = draw_case(1, missing=True)
    result = evaluate(probabilities, labels, NAMES, n_bootstrap=100)
    absent = result.per_class[3]
    assert (absent.support, absent.recall.value, absent.auroc.value, absent.auroc.low, absent.roc) == (
        0,
        0,
        None,
        None,
        (),
    )
    assert result.macro_auroc.value is None
    assert any(NAMES[3] in note for note in result.notes)


def test_cancer_figures_without_any_cancer_are_undefined() -> None:
    probabilities, _ = draw_case(0, n=20)
    result = evaluate(probabilities, np.full(20, 2), NAMES, cancer_class_names=CANCERS, n_bootstrap=20)
    assert result.cancer is not None
    assert result.cancer.sensitivity.value is None
    assert result.cancer.auroc.value is None
    assert result.cancer.specificity.value is not None


def test_a_probability_at_the_threshold_is_called_cancer() -> None:
    case = [[0.5, 0.0, 0.5, 0.0], [0.4, 0.0, 0.6, 0.0]]
    found = evaluate(case, [0, 2], NAMES, cancer_class_names=CANCERS, n_bootstrap=0).cancer
    assert found is not None
    assert (found.sensitivity.value, found.specificity.value) == (1, 1)


def test_cancer_is_left_out_where_it_is_not_named() -> None:
    probabilities, labels = draw_case(0)
    assert evaluate(probabilities, labels, NAMES, n_bootstrap=0).cancer is None
    assert evaluate(probabilities, labels, NAMES, cancer_class_names=NAMES, n_bootstrap=0).cancer is None


def test_survives_json() -> None:
    probabilities, labels = draw_case(2, missing=True)
    result = evaluate(probabilities, labels, NAMES, cancer_class_names=CANCERS, n_bootstrap=50, groups=list(labels))
    assert Evaluation.from_dict(json.loads(json.dumps(result.to_dict(), allow_nan=False))) == result


def test_same_seed_gives_same_intervals_however_the_work_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    probabilities, labels = draw_case(0)
    once = evaluate(probabilities, labels, NAMES, n_bootstrap=300, seed=5)
    monkeypatch.setattr("hilum.evaluation.scoring._WEIGHTS_IN_MEMORY", 200 * 7)
    again = evaluate(probabilities, labels, NAMES, n_bootstrap=300, seed=5)
    assert again.macro_f1 == once.macro_f1
    assert again.log_loss.high == pytest.approx(once.log_loss.high)
    assert evaluate(probabilities, labels, NAMES, n_bootstrap=300, seed=6).accuracy.low != once.accuracy.low


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 60), count=st.integers(2, 5), ties=st.booleans())
def test_every_figure_is_in_range_and_within_its_interval_bounds(seed: int, n: int, count: int, ties: bool) -> None:
    probabilities, labels = draw_case(seed, n, count, ties=ties)
    result = evaluate(probabilities, labels, NAMES[:count] if count < 5 else (*NAMES, "other"), n_bootstrap=40)
    overall = [result.accuracy, result.balanced_accuracy, result.macro_f1, result.weighted_f1, result.macro_auroc]
    overall += [result.expected_calibration_error]
    for figure in overall + [f for c in result.per_class for f in (c.precision, c.recall, c.f1, c.auroc)]:
        if figure.value is not None:
            assert 0 <= figure.value <= 1
            assert figure.low is None or (figure.high is not None and 0 <= figure.low <= figure.high <= 1)
    assert np.sum(result.confusion_matrix) == n == sum(b.n for b in result.reliability)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(5, 60))
def test_order_of_the_images_does_not_matter(seed: int, n: int) -> None:
    probabilities, labels = draw_case(seed, n)
    shuffled = np.random.default_rng(seed).permutation(n)
    ours = evaluate(probabilities, labels, NAMES, n_bootstrap=0)
    theirs = evaluate(probabilities[shuffled], labels[shuffled], NAMES, n_bootstrap=0)
    assert ours.accuracy == theirs.accuracy
    assert [c.auroc for c in ours.per_class] == [c.auroc for c in theirs.per_class]


def test_intervals_cover_the_truth_about_95_times_in_100() -> None:
    rng, hits = np.random.default_rng(7), {"accuracy": 0, "auroc": 0}
    true_auroc = 0.7602  # two unit normals one standard deviation apart: Phi(1 / sqrt(2))
    trials = 200
    for trial in range(trials):
        labels = rng.integers(0, 2, 150)
        score = rng.normal(size=150) + labels
        second = 1 / (1 + np.exp(-(score - 0.5)))
        result = evaluate(np.stack([1 - second, second], axis=1), labels, ("a", "b"), n_bootstrap=300, seed=trial)
        true_accuracy = 0.6915  # Phi(1 / 2)
        hits["accuracy"] += result.accuracy.low <= true_accuracy <= result.accuracy.high  # type: ignore[operator]
        auroc = result.per_class[1].auroc
        hits["auroc"] += auroc.low <= true_auroc <= auroc.high  # type: ignore[operator]
    assert 0.90 <= hits["accuracy"] / trials <= 0.99
    assert 0.90 <= hits["auroc"] / trials <= 0.99


def test_all_right_says_how_few_they_were() -> None:
    labels = np.arange(31) % 2
    result = evaluate(np.eye(2)[labels] * 0.8 + 0.1, labels, ("normal", "cancer"), cancer_class_names=("cancer",))

    assert result.cancer is not None
    for figure in (result.accuracy, result.cancer.sensitivity, result.per_class[0].recall):
        assert (figure.value, figure.high) == (1.0, 1.0)
        assert figure.low == pytest.approx(figure.n / (figure.n + 1.959964**2))  # Wilson's, of as many
    assert result.accuracy.n == 31
    lows = [one.f1.low for one in result.per_class]
    assert result.macro_f1.low == pytest.approx(np.mean(lows)), "a mean over classes rests on each class, not on all"
    assert result.expected_calibration_error.low < 0.1 < result.expected_calibration_error.high  # type: ignore[operator]


def test_perfect_order_says_how_few_pairs_it_was_seen_on() -> None:
    labels = np.array([0] * 40 + [1] * 12)
    scores = np.where(labels == 1, 0.9, 0.2)
    found = evaluate(np.stack([1 - scores, scores], axis=1), labels, ("no", "cancer"), cancer_class_names=("cancer",))

    assert found.cancer is not None
    for figure in (found.cancer.auroc, found.per_class[0].auroc, found.macro_auroc):
        assert (figure.value, figure.high, figure.n) == (1.0, 1.0, 52)
        assert figure.low == pytest.approx(12 / (12 + 1.959964**2))
    upside_down = evaluate(np.stack([scores, 1 - scores], axis=1), labels, ("no", "cancer")).per_class[1].auroc
    assert (upside_down.value, upside_down.low) == (0.0, 0.0)
    assert upside_down.high == pytest.approx(1.959964**2 / (12 + 1.959964**2))


def test_perfect_order_of_few_patients_rests_on_patients() -> None:
    labels = np.repeat([0, 1], 40)
    groups = [number // 10 for number in range(80)]  # four patients on each side
    found = evaluate(np.eye(2)[labels], labels, ("no", "yes"), groups=groups)
    assert found.per_class[1].auroc.low == pytest.approx(4 / (4 + 1.959964**2))
    assert found.per_class[1].recall.low == pytest.approx(4 / (4 + 1.959964**2))


def test_the_interval_of_a_perfect_order_covers_the_worst_that_looks_perfect() -> None:
    """Of all scores of one area these look perfect most often: a few positives lie below all else."""
    rng, area, trials = np.random.default_rng(3), 0.97, 300
    covered = perfect = 0
    for trial in range(trials):
        labels = np.arange(60) % 2
        is_low = (labels == 1) & (rng.random(60) > area)
        scores = np.where(labels == 1, np.where(is_low, 0.1, 0.9), 0.5) + rng.normal(0, 0.01, 60)
        found = evaluate(np.stack([1 - scores, scores], 1), labels, ("a", "b"), n_bootstrap=60, seed=trial)
        auroc = found.per_class[1].auroc
        perfect += auroc.value == 1
        covered += auroc.low <= area <= auroc.high  # type: ignore[operator]
    assert perfect > 0.3 * trials, "each of these missed the truth when its interval had no width"
    assert covered > 0.9 * trials


@pytest.mark.parametrize("n", [8, 31, 200])
def test_an_area_below_the_interval_seldom_looks_perfect(n: int) -> None:
    labels = np.arange(2 * n) % 2
    low = evaluate(np.eye(2)[labels], labels, ("a", "b"), n_bootstrap=5).per_class[1].auroc.low
    assert low is not None
    rng = np.random.default_rng(n)
    apart = 2**0.5 * float(NormalDist().inv_cdf(low))  # of two unit normals whose area is the lower bound
    looks = [(rng.normal(apart, 1, n).min() > rng.normal(0, 1, n).max()) for _ in range(2000)]
    assert np.mean(looks) <= 0.05


def test_what_was_never_predicted_has_no_interval() -> None:
    found = evaluate([[0.9, 0.1], [0.8, 0.2]], [0, 1], ("a", "b")).per_class[1].precision
    assert (found.value, found.low, found.high, found.n) == (0.0, None, None, 0)


def test_all_right_rests_on_groups_where_images_repeat() -> None:
    labels = np.tile([0, 1], 50)
    result = evaluate(np.eye(2)[labels], labels, ("normal", "cancer"), groups=[number // 20 for number in range(100)])

    assert result.accuracy.n == 100
    assert result.accuracy.low == pytest.approx(5 / (5 + 1.959964**2))


def test_all_wrong_is_not_never_right() -> None:
    labels = np.zeros(10, int)
    recall = evaluate(np.eye(2)[1 - labels], labels, ("normal", "cancer")).per_class[0].recall

    assert (recall.value, recall.low) == (0.0, 0.0)
    assert recall.high == pytest.approx(1.959964**2 / (10 + 1.959964**2))


def test_groups_widen_intervals_where_images_repeat() -> None:
    probabilities, labels = draw_case(3, n=60)
    tenfold, groups = np.repeat(probabilities, 10, axis=0), np.repeat(np.arange(60), 10)
    naive = evaluate(tenfold, np.repeat(labels, 10), NAMES, n_bootstrap=500).accuracy
    honest = evaluate(tenfold, np.repeat(labels, 10), NAMES, n_bootstrap=500, groups=groups.tolist())
    single = evaluate(probabilities, labels, NAMES, n_bootstrap=500).accuracy
    assert honest.n_groups == 60
    assert (honest.accuracy.low, honest.accuracy.high) == pytest.approx((single.low, single.high))
    assert honest.accuracy.high - honest.accuracy.low > 2 * (naive.high - naive.low)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("probabilities", "labels", "says"),
    [
        ([[0.5, 0.5]], [0, 1], "shapes"),
        ([[0.5, 0.5, 0.0]], [0], "shapes"),
        (np.empty((0, 2)), np.empty(0, int), "N > 0"),
        ([[0.5, 0.6]], [0], "sum to 1"),
        ([[np.nan, 1.0]], [0], "finite"),
        ([[1.5, -0.5]], [0], "negative"),
        ([[0.5, 0.5]], [2], "from 0 to 1"),
        ([[0.5, 0.5]], [0.5], "integers"),
    ],
)
def test_refuses_what_is_no_evaluation(probabilities: object, labels: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        evaluate(probabilities, labels, ("a", "b"))  # type: ignore[arg-type]


def test_refuses_unknown_cancer_class_and_wrong_groups() -> None:
    with pytest.raises(ValueError, match="'c'"):
        evaluate([[0.5, 0.5]], [0], ("a", "b"), cancer_class_names=("c",))
    with pytest.raises(ValueError, match="1 were given"):
        evaluate([[0.5, 0.5]] * 2, [0, 1], ("a", "b"), groups=["x"])


def test_mcnemar_is_the_exact_binomial_test() -> None:
    from scipy.stats import binomtest

    rng = np.random.default_rng(0)
    for n in (5, 40, 3000):
        a, b = rng.random(n) < 0.8, rng.random(n) < 0.7
        ours = mcnemar(a, b)
        assert (ours.only_a, ours.only_b) == (sum(a > b), sum(b > a))
        theirs = binomtest(ours.only_a, ours.only_a + ours.only_b).pvalue
        assert ours.p_value == pytest.approx(theirs)
    assert mcnemar([True, False], [True, False]).p_value == 1
    assert mcnemar([True] * 6, [False] * 6).p_value == pytest.approx(2 / 64)
    with pytest.raises(ValueError, match="shapes"):
        mcnemar([True], [True, False])


def test_importing_it_loads_neither_scikit_learn_nor_matplotlib() -> None:
    code = "import sys, hilum.evaluation; print([m for m in ('sklearn', 'scipy', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
