"""What a person does on the page that classifies, in a real browser."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from page_actions import CUT_OFF, IS_DRAWN, OVERFLOW, choose, drop, paste, phantom_dicom
from playwright.sync_api import Page, expect

from hilum.imaging.phantoms import draw_phantom
from hilum.inference.explain import encode_png


def test_a_dropped_slice_is_answered_with_its_heat_map(page: Page, slice_png: bytes) -> None:
    drop(page, slice_png, "dropped.png")

    expect(page.locator("#result")).to_be_visible()
    expect(page.locator("#heat")).to_be_visible()
    expect(page.locator("#file-name")).to_have_text("dropped.png")
    expect(page.locator("#decision")).to_have_text("A person should review")
    expect(page.locator("#predicted")).to_have_text("Normal")
    expect(page.locator("#probabilities tr")).to_have_count(4)
    expect(page.locator("#announcement")).to_contain_text("Normal, probability")
    expect(page.locator("#queue")).to_be_hidden()
    expect(page.locator("#synthetic")).to_be_hidden()
    for picture in ("slice", "heat"):
        page.wait_for_function(IS_DRAWN, arg=picture)
    bars = page.evaluate("Chart.getChart('chart').data.datasets[0].data")
    assert sum(bars) == pytest.approx(1)


def test_what_is_ruled_out_says_how_often_that_was_right(page: Page, slice_png: bytes) -> None:
    measured = json.loads((Path(__file__).parents[2] / "models" / "reference" / "metrics.json").read_text())[
        "conformal"
    ]
    choose(page, ("slice.png", slice_png))

    share, low, high = (f"{100 * measured['coverage'][name]:.1f}\u00a0%" for name in ("value", "low", "high"))
    expect(page.locator("#set-note")).to_contain_text(f"held the true class in {share} ({low} to {high}) of 315 slices")
    expect(page.locator("#set-note")).to_contain_text(f"made for {100 * measured['target']:.1f}\u00a0%")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"status": 404, "json": {"code": "metrics-missing", "title": "None", "detail": "none"}}, "was not measured"),
        ({"json": {"model_version": "another", "conformal": {"coverage": {"value": 1}}}}, "was not measured"),
        ({"status": 409, "json": {"code": "other", "title": "Wait", "detail": "wait"}}, "could not be read"),
    ],
)
def test_what_is_ruled_out_without_a_figure_says_so(
    page: Page, slice_png: bytes, answer: dict[str, Any], says: str
) -> None:
    page.route("**/metrics", lambda route: route.fulfill(**answer))
    choose(page, ("slice.png", slice_png))
    expect(page.locator("#set-note")).to_contain_text(says)


def test_without_the_chart_library_the_figures_are_read_from_the_table(
    blank: Page, origin: str, slice_png: bytes
) -> None:
    blank.route("**/chart.umd.min.js", lambda route: route.fulfill(status=404))
    blank.goto(origin)
    choose(blank, ("slice.png", slice_png))

    expect(blank.locator("#predicted")).to_have_text("Normal")
    expect(blank.locator("#chart")).to_be_hidden()
    expect(blank.locator("#verdict-choices button")).to_have_count(4)
    table = blank.locator("#probabilities").bounding_box()
    assert table is not None
    assert table["height"] > 60
    told = "getComputedStyle(document.querySelector('.chart'), '::after').content"
    assert "cannot be drawn" in blank.evaluate(told)
    blank.set_viewport_size({"width": 360, "height": 800})
    assert blank.evaluate(OVERFLOW) <= 0


def test_the_slider_fades_the_heat_map_by_keyboard(page: Page, slice_png: bytes) -> None:
    choose(page, ("slice.png", slice_png))
    expect(page.locator("#heat-control")).to_be_visible()

    page.get_by_label("Heat map", exact=True).focus()
    page.keyboard.press("Home")

    expect(page.locator("#heat")).to_have_css("opacity", "0")
    expect(page.locator("#opacity-value")).to_have_text("0 %")


def test_a_pasted_slice_is_answered(page: Page, slice_png: bytes) -> None:
    paste(page, slice_png)

    expect(page.locator("#result")).to_be_visible()


def test_a_sample_is_answered_and_called_synthetic(page: Page) -> None:
    page.get_by_role("button", name="Synthetic 2").click()

    expect(page.locator("#synthetic")).to_be_visible()
    expect(page.locator("#heat")).to_be_visible()


def test_a_refused_file_says_why_in_words(page: Page, slice_png: bytes) -> None:
    choose(page, ("slice.png", slice_png[: len(slice_png) // 2]))

    expect(page.locator("#refusal")).to_be_visible()
    expect(page.locator("#refusal-title")).to_have_text("The image is cut short")
    expect(page.locator("#refusal-remedy")).to_contain_text("Export or copy the slice again")
    expect(page.locator("#announcement")).to_contain_text("Not classified")
    expect(page.locator("#result")).to_be_hidden()
    expect(page.locator("#heat")).to_be_hidden()


def test_a_picture_that_is_no_slice_is_refused_with_reasons(page: Page) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (256, 256), np.uint8)
    choose(page, ("noise.png", encode_png(noise)))

    expect(page.locator("#refusal-title")).to_have_text("This does not look like a chest CT slice")
    expect(page.locator("#refusal-reasons li").first).to_contain_text("is needed")
    expect(page.locator("#refusal-remedy")).to_contain_text("Send one axial CT slice")


def test_another_slice_can_follow(page: Page, slice_png: bytes) -> None:
    for data, shown in ((slice_png[:100], "#refusal"), (slice_png, "#result"), (slice_png, "#result")):
        choose(page, ("slice.png", data))
        expect(page.locator(shown)).to_be_visible()
    page.get_by_role("button", name="Start over").click()

    expect(page.locator("#drop")).to_be_visible()
    expect(page.locator("#result")).to_be_hidden()
    assert page.evaluate("document.activeElement.id") == "file"


def test_the_newest_of_two_slices_is_shown(page: Page, slice_png: bytes) -> None:
    drop(page, slice_png, "first.png")
    drop(page, b"no image", "second.png")

    expect(page.locator("#refusal")).to_be_visible()
    expect(page.locator("#result")).to_be_hidden()
    expect(page.locator("#file-name")).to_have_text("second.png")
    expect(page.locator("#queue-summary")).to_have_text("2 of 2 · 1 to review · 1 not classified")


def test_an_answer_that_is_not_hilums_is_survived(page: Page, slice_png: bytes) -> None:
    page.route("**/predict?*", lambda route: route.fulfill(status=429, body="not from hilum"))
    choose(page, ("slice.png", slice_png))

    expect(page.locator("#refusal-title")).to_have_text("The server refused")
    page.unroute("**/predict?*")
    choose(page, ("slice.png", slice_png))
    expect(page.locator("#result")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_it_fits_the_screen_in_both_colour_schemes(page: Page, slice_png: bytes, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 800})

    assert page.evaluate(OVERFLOW) == 0
    choose(page, ("a-very-long-file-name-" * 10 + ".png", slice_png))
    expect(page.locator("#heat")).to_be_visible()
    assert page.evaluate(OVERFLOW) == 0
    assert page.evaluate(CUT_OFF) == []


def test_everything_can_be_reached_by_keyboard(page: Page) -> None:
    reached = []
    for _ in range(18):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))

    assert reached[0] == "Skip to content"
    assert "file" in reached
    assert [name for name in reached if name.startswith("Synthetic")] == ["Synthetic 1", "Synthetic 2", "Synthetic 3"]


def test_it_is_plainly_no_medical_device(page: Page) -> None:
    expect(page.get_by_role("note")).to_contain_text("Research use only")
    expect(page.get_by_role("note")).to_contain_text("Not a medical device")


def test_the_api_documentation_works_without_the_internet(page: Page) -> None:
    page.get_by_role("link", name="API", exact=True).click()

    expect(page.locator("#operations-predictions-predict_predict_post")).to_be_visible()
    expect(page.get_by_role("note")).to_be_visible()


def test_many_slices_are_answered_in_a_queue(page: Page, slice_png: bytes) -> None:
    choose(page, *[(f"slice-{number}.png", slice_png) for number in range(6)], ("broken.png", slice_png[:200]))

    expect(page.locator("#queue-summary")).to_have_text("7 of 7 · 6 to review · 1 not classified")
    expect(page.locator("#file-name")).to_have_text("slice-0.png")
    expect(page.locator(".queue-item").first).to_contain_text("to review")
    page.locator(".queue-item").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#file-name")).to_have_text("slice-1.png")
    page.get_by_label("Show", exact=True).select_option("refused")
    expect(page.locator(".queue-item:visible")).to_have_text(["broken.pngThe image is cut short"])
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert [row["file"] for row in rows] == [f"slice-{number}.png" for number in range(6)] + ["broken.png"]
    assert {row["predicted_class"] for row in rows[:6]} == {"normal"}
    assert rows[6]["problem"] == "image-truncated"


def test_a_zip_stands_for_its_slices(page: Page, slice_png: bytes) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.png", slice_png)
        archive.writestr("b.png", cv2.imencode(".png", draw_phantom(5))[1].tobytes())
    choose(page, ("study.zip", packed.getvalue()))

    expect(page.locator(".queue-name")).to_have_text(["study.zip", "study.zip · 1", "study.zip · 2"])
    expect(page.locator("#file-name")).to_have_text("study.zip · 1")
    expect(page.locator("#result")).to_be_visible()
    page.locator(".queue-item").last.click()
    expect(page.locator("#predicted")).to_have_text("Normal")


def test_the_picture_can_be_enlarged_and_fitted_again(page: Page, slice_png: bytes) -> None:
    choose(page, ("slice.png", slice_png))
    expect(page.locator("#heat")).to_be_visible()
    page.locator("#picture").focus()
    for _ in range(3):
        page.keyboard.press("+")
    expect(page.locator("#zoom-value")).to_have_text("195\u00a0%")
    before = page.locator("#slice").bounding_box()
    page.keyboard.press("ArrowRight")
    after = page.locator("#slice").bounding_box()
    assert before is not None
    assert after is not None
    assert after["x"] == pytest.approx(before["x"] - 40, abs=1)
    page.get_by_role("button", name="Fit").click()
    expect(page.locator("#zoom-value")).to_have_text("100\u00a0%")
    page.locator("#picture").hover()
    page.mouse.wheel(0, -200)
    expect(page.locator("#zoom-value")).to_have_text("125\u00a0%")


_PIXEL = "([x, y]) => [...document.getElementById('windowed').getContext('2d').getImageData(x, y, 1, 1).data]"


def test_a_dicom_slice_can_be_windowed(page: Page) -> None:
    data, hounsfield = phantom_dicom(5)
    choose(page, ("slice.dcm", data))
    expect(page.locator("#window-control")).to_be_visible()
    expect(page.locator("#windowed")).to_be_hidden()
    page.get_by_label("Window", exact=True).select_option("Mediastinum")
    expect(page.locator("#windowed")).to_be_visible()
    for x, y in ((128, 128), (60, 128), (250, 250)):
        expected = np.clip((int(hounsfield[y, x]) - (40 - 200)) * 255 / 400, 0, 255)
        page.wait_for_function(f"() => document.getElementById('windowed').width === {hounsfield.shape[1]}")
        assert page.evaluate(_PIXEL, [x, y])[0] == pytest.approx(expected, abs=1)

    page.get_by_label("Centre").fill("-600")
    page.get_by_label("Width").fill("1500")
    expect(page.get_by_label("Window", exact=True)).to_have_value("own")
    expected = np.clip((int(hounsfield[128, 60]) + 1350) * 255 / 1500, 0, 255)
    page.wait_for_timeout(100)
    assert page.evaluate(_PIXEL, [60, 128])[0] == pytest.approx(expected, abs=1)


def test_a_window_is_dragged_with_the_right_button(page: Page) -> None:
    choose(page, ("slice.dcm", phantom_dicom(5)[0]))
    page.get_by_label("Window", exact=True).select_option("Lung")
    expect(page.locator("#windowed")).to_be_visible()
    page.locator("#picture").hover()
    box = page.locator("#picture").bounding_box()
    assert box is not None
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2 - 30, steps=4)
    page.mouse.up(button="right")
    expect(page.get_by_label("Window", exact=True)).to_have_value("own")
    assert page.get_by_label("Width").input_value() != "1500"
    assert page.get_by_label("Centre").input_value() != "-600"
    expect(page.locator("#zoom-value")).to_have_text("100\u00a0%")


def test_one_click_confirms_and_another_corrects(page: Page, slice_png: bytes, origin: str) -> None:
    choose(page, ("slice.png", slice_png))
    page.get_by_role("button", name="Normal").click()
    expect(page.locator("#verdict-note")).to_have_text("Kept: you confirmed normal.")
    page.get_by_role("button", name="Squamous cell carcinoma").click()
    expect(page.locator("#verdict-note")).to_have_text("Kept: you corrected the answer to squamous cell carcinoma.")
    expect(page.get_by_role("button", name="Squamous cell carcinoma")).to_have_attribute("aria-pressed", "true")

    stored = page.locator("#prediction-id").text_content()
    page.goto(f"{origin}/?prediction={stored}")
    expect(page.locator("#verdict-note")).to_have_text("Kept: you corrected the answer to squamous cell carcinoma.")
    expect(page.locator("#heat")).to_be_visible()


def test_the_receipt_is_downloaded_and_the_report_printed(page: Page, slice_png: bytes) -> None:
    choose(page, ("slice.png", slice_png))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download receipt").click()
    receipt = json.loads(Path(download.value.path()).read_text())
    assert receipt["id"] == page.locator("#prediction-id").text_content()
    assert download.value.suggested_filename == f"receipt-{receipt['id']}.json"

    page.emulate_media(media="print")
    for part in (".notice", "#predicted", "#slice", "#heat", "#probabilities", "#model"):
        expect(page.locator(part)).to_be_visible()
    for part in ("nav", "#verdict", "#report", "#viewer-bar"):
        expect(page.locator(part)).to_be_hidden()
    assert len(page.pdf()) > 10_000


def test_what_waits_can_be_stopped(page: Page, slice_png: bytes) -> None:
    page.route("**/predict*", lambda route: None)
    choose(page, *[(f"{number}.png", slice_png) for number in range(5)])
    expect(page.locator("#busy")).to_be_visible()
    page.get_by_role("button", name="Stop").click()

    expect(page.locator("#queue-summary")).to_have_text("5 of 5 · 5 not classified")
    expect(page.locator("#refusal-title")).to_have_text("Stopped")
