"""What the page shows of a model's measured behaviour: the figures are those that the probes found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_actions import OVERFLOW
from playwright.sync_api import Page, Route, expect

from hilum.imaging.phantoms import draw_phantom
from hilum.inference.predictor import Predictor
from hilum.training.probes.cases import Cases
from hilum.training.probes.findings import probe

_ROOT = Path(__file__).parents[2]
_SENTENCE = "The answer 'normal' changes when only <b>brightness</b> changes: 12 of 54."
_FIGURE = {"value": 0.812, "low": 0.777, "high": 0.846, "n": 577}


@pytest.fixture(scope="module")
def measured(tiny_bundle: Path) -> dict[str, Any]:
    """The tiny bundle's metrics with what the probes find of it, and rows of other splits."""
    slices = [draw_phantom(seed, side=128) for seed in range(8)]
    cases = Cases.of(Predictor.load(tiny_bundle), slices, ["png"] * 8, np.arange(8) % 4)
    found = probe(cases, tiny_bundle / "model.onnx", lambda stage, share, words: None).to_dict()
    found["feature_importance"]["sentences"] = [_SENTENCE]
    metrics: dict[str, Any] = json.loads((tiny_bundle / "metrics.json").read_text())
    row = {"n": 577, "accuracy": _FIGURE, "macro_f1": _FIGURE, "note": "no group on both sides"}
    truth = [{"name": name, **row} for name in ("official test", "grouped cross-validation")]
    other = {"name": "iq-oth-nccd", "n": 180, "note": ""} | dict.fromkeys(
        ("auroc", "sensitivity", "specificity"), _FIGURE
    )
    return metrics | found | {"split_truth": truth, "external": [other], "model_version": "tiny"}


@pytest.fixture(scope="module")
def reference_metrics() -> dict[str, Any]:
    """What was measured of the reference model."""
    found: dict[str, Any] = json.loads((_ROOT / "models" / "reference" / "metrics.json").read_text())
    return found


@pytest.fixture
def page(blank: Page, origin: str) -> Page:
    """The page about performance."""
    blank.goto(f"{origin}/performance")
    return blank


def _answer_metrics(route: Route, **answer: Any) -> None:
    """Answers for the model's figures and lets the server's counters through."""
    if "text/plain" in route.request.headers["accept"]:
        route.continue_()
    else:
        route.fulfill(**answer)


@pytest.fixture
def shown(page: Page, measured: dict[str, Any]) -> Page:
    """The page with these metrics."""
    page.route("**/metrics", lambda route: _answer_metrics(route, json=measured))
    page.reload()
    expect(page.locator("#robustness")).to_be_visible()
    return page


def test_bars_show_the_importance_of_regions_and_properties(shown: Page, measured: dict[str, Any]) -> None:
    importance = measured["feature_importance"]
    for chart, rows, measure in (
        ("regions-chart", importance["regions"], "probability_drop"),
        ("properties-chart", importance["properties"], "probability_change"),
    ):
        drawn = shown.evaluate(f"Chart.getChart('{chart}').data.datasets[0].data")
        assert drawn == pytest.approx([row[measure]["value"] for row in rows])
    labels = shown.evaluate("Chart.getChart('regions-chart').data.labels")
    assert {"Left lung", "Right lung", "Mediastinum", "Chest wall", "Outside"} <= set(labels)


def test_the_importance_can_be_seen_by_class(shown: Page, measured: dict[str, Any]) -> None:
    shown.get_by_label("Slices of").select_option("normal")
    drawn = shown.evaluate("Chart.getChart('regions-chart').data.datasets[0].data")
    rows = measured["feature_importance"]["regions"]
    of_normal = [next(c for c in row["per_class"] if c["class_name"] == "normal") for row in rows]
    assert drawn == pytest.approx([row["probability_drop"]["value"] for row in of_normal])


def test_a_shortcut_is_told_in_words_and_never_as_markup(shown: Page) -> None:
    expect(shown.locator("#shortcuts li")).to_have_text(_SENTENCE.replace("'normal'", "“normal”"))
    assert shown.locator("#shortcuts b").count() == 0


def test_the_robustness_table_names_its_worst_row(shown: Page, measured: dict[str, Any]) -> None:
    robustness = measured["robustness"]
    expect(shown.locator("#robustness-worst")).to_have_text(robustness["sentence"].replace("%", "\u00a0%"))
    shown.get_by_text("Every perturbation").click()
    expect(shown.locator("#robustness-rows tr")).to_have_count(len(robustness["rows"]) + 1)
    expect(shown.locator("#robustness-rows tr.is-worst th")).to_have_text(
        robustness["worst"][0].upper() + robustness["worst"][1:]
    )


def test_splits_stand_side_by_side_with_their_intervals(shown: Page) -> None:
    rows = shown.locator("#splits-rows tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Official test")
    expect(rows.last).to_contain_text("81.2\u00a0%")
    expect(rows.last).to_contain_text("77.7\u00a0% to 84.6\u00a0%")
    expect(shown.locator("#external-rows")).to_contain_text("iq-oth-nccd")


def test_the_heat_check_is_told_in_words(shown: Page) -> None:
    expect(shown.locator("#heat-check-list li")).to_have_count(4)
    expect(shown.locator("#heat-check-list")).to_contain_text("inside lungs and mediastinum")


def test_a_narrow_screen_shows_all_of_it_without_scrolling_sideways(shown: Page) -> None:
    shown.set_viewport_size({"width": 360, "height": 740})
    shown.reload()
    expect(shown.locator("#regions-chart")).to_be_visible()
    for summary in shown.locator(".performance summary:visible").all():
        summary.click()
    assert shown.evaluate(OVERFLOW) <= 0
    width = shown.locator("#regions-chart").bounding_box()
    assert width is not None
    assert 200 < width["width"] <= 360
    labels = shown.evaluate("Chart.getChart('regions-chart').data.labels")
    assert ["Lungs and", "mediastinum"] in labels  # on one line it would lose its beginning
    fitted = "import('/static/js/charts/plot.js').then(({ fitted }) => fitted('adenocarcinoma '.repeat(5).trim(), 300))"
    assert shown.evaluate(fitted) == ["adenocarcinoma", "adenocarcinoma …"]


def test_what_was_not_measured_is_not_shown(page: Page) -> None:
    bare = {"n": 9, "n_trained_on": 4, "accuracy": {"value": 1, "low": None, "high": None}, "model_version": "m"}
    page.route("**/metrics", lambda route: _answer_metrics(route, json=bare))
    page.reload()

    expect(page.locator("#performance-note")).to_contain_text(
        "also trained on 4 of these very files, so these figures flatter it"
    )
    expect(page.locator("#figures div")).to_have_count(1)
    expect(page.locator("#figures")).to_contain_text("100.0")
    for part in ("confusion", "classes", "roc", "calibration", "splits", "external", "importance", "robustness"):
        expect(page.locator(f"#{part}")).to_be_hidden()


def test_figures_without_an_interval_are_shown_without_one(page: Page, reference_metrics: dict[str, Any]) -> None:
    alone = {"value": 0.25, "low": None, "high": None}
    bare = reference_metrics | {"expected_calibration_error": alone, "log_loss": alone}
    page.route("**/metrics", lambda route: _answer_metrics(route, json=bare))
    page.reload()

    expect(page.locator("#calibration-note")).to_contain_text("off by 25.0 points. Log loss")
    expect(page.locator("#calibration-note")).to_contain_text("0.250; lower is better.")
    expect(page.locator("#robustness")).to_be_visible()


def test_an_unmeasured_model_is_said_to_be_unmeasured(page: Page) -> None:
    missing = {"code": "metrics-missing", "title": "x", "detail": "x"}
    page.route("**/metrics", lambda route: _answer_metrics(route, status=404, json=missing))
    page.reload()

    expect(page.locator("#performance-note")).to_contain_text("was not measured")
    expect(page.locator("#performance-state")).to_contain_text("hilum evaluate")


def test_the_reference_models_figures_are_shown(page: Page, reference_metrics: dict[str, Any]) -> None:
    expect(page.locator("#figures")).to_contain_text(f"{reference_metrics['accuracy']['value'] * 100:.1f}\u00a0%")
    expect(page.locator("#performance-note")).to_contain_text("315 slices of chest-ct-scan-images (test)")
    expect(page.locator("#classes-rows tr")).to_have_count(4)
    drawn = page.evaluate("Chart.getChart('roc-chart').data.datasets.map(({ data }) => data.length)")
    assert drawn[:4] == [len(one["roc"]) for one in reference_metrics["per_class"]]
    points = page.evaluate("Chart.getChart('reliability-chart').data.datasets[0].data.map(({ y }) => y)")
    assert points == pytest.approx([one["accuracy"] for one in reference_metrics["reliability"] if one["n"]])
    error, loss = (
        f"{reference_metrics[name]['value'] * by:.{digits}f}"
        for name, by, digits in (("expected_calibration_error", 100, 1), ("log_loss", 1, 3))
    )
    expect(page.locator("#calibration-note")).to_contain_text(f"off by {error} points")
    expect(page.locator("#calibration-note")).to_contain_text(f"raise too: {loss} (")
    losses = page.evaluate("Chart.getChart('loss-chart').data.datasets[1].data.map(({ y }) => y)")
    assert losses == pytest.approx([one["val_loss"] for one in reference_metrics["training_history"]])
    counts = page.evaluate("Chart.getChart('distribution-chart').data.datasets.map(({ data }) => data)")
    assert sorted(map(sum, counts)) == sorted(
        sum(split.values()) for split in reference_metrics["class_distribution"].values()
    )


def test_a_cell_of_the_confusion_matrix_shows_the_slices_judged_so(page: Page, origin: str, slice_png: bytes) -> None:
    answer = page.request.post(
        f"{origin}/predict", multipart={"file": {"name": "a.png", "mimeType": "image/png", "buffer": slice_png}}
    ).json()
    page.get_by_role("button", name="Large cell carcinoma called normal").click()
    expect(page.locator("#confusion-slices")).to_contain_text("Nobody has judged an answer here so yet")
    expect(page.locator("#confusion-slices")).to_contain_text("0 slices of the measurement (test)")
    page.request.post(f"{origin}/predictions/{answer['id']}/feedback", data={"confirmed_class": "normal"})
    page.get_by_role("button", name="Normal called normal").click()
    expect(page.locator("#confusion-slices h3")).to_contain_text("Labelled normal, called normal")
    expect(page.locator(f"#confusion-slices a[href$='{answer['id']}'] img")).to_be_visible()
    expect(page.locator("#confusion-slices")).to_contain_text("not among this server’s labelled images")


def test_the_server_tells_how_fast_it_answers(page: Page) -> None:
    expect(page.locator("#service-figures")).to_contain_text("Slices answered")
    expect(page.locator("#service-rows tr")).to_have_count(4)
    expect(page.locator("#service-note")).to_contain_text("Since it started")


def test_probes_before_the_server_was_ready_are_no_failed_requests(page: Page) -> None:
    lines = [("/predict", 200, 8), ("/predict", 503, 2), ("/health/ready", 503, 40)]
    text = "".join(
        f'http_requests_total{{method="GET",route="{route}",status="{status}"}} {count}.0\n'
        for route, status, count in lines
    )

    def count(route: Route) -> None:
        if "text/plain" in route.request.headers["accept"]:
            route.fulfill(body=text, content_type="text/plain")
        else:
            route.continue_()

    page.route("**/metrics", count)
    page.reload()
    failed = page.locator("#service-figures div", has_text="Requests that failed")
    expect(failed.locator("dd")).to_have_text("2 of 10")


def test_drift_names_what_moved(page: Page) -> None:
    moved = {"name": "grey_median", "psi": 0.61, "ks": 0.34, "reference_median": 60.0, "recent_median": 84.0}
    classes = {"psi": 0.04, "reference": {"normal": 0.3}, "recent": {"normal": 0.33}, "n": 500, "is_alert": False}
    drift = {
        "status": "drift", "model_version": "m", "threshold": 0.25, "window": 500, "n": 500, "reference_n": 721,
        "since": None, "until": None, "alerts": ["grey_median"], "inputs": [moved | {"is_alert": True}],
        "predictions": classes,
    }  # fmt: skip
    expect(page.locator("#drift-state .pill")).to_be_visible()
    page.route("**/monitoring/drift", lambda route: route.fulfill(json=drift))
    page.reload()
    expect(page.locator("#drift-state")).to_have_text("Drift")
    expect(page.locator("#drift-rows tr.is-worst")).to_have_text("Grey medianbeyond the threshold60.084.00.610")
    expect(page.locator("#drift-rows tr").last).to_contain_text("33.0\u00a0%")
