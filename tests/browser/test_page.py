"""What a person does on the page, in a real browser."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from hilum.inference.explain import encode_png

_DROP = """
([data, name]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/png" }));
  const target = document.querySelector("#stage");
  for (const type of ["dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
}
"""
_PASTE = """
(data) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "pasted.png", { type: "image/png" }));
  window.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
}
"""
_IS_DRAWN = "id => { const i = document.getElementById(id); return i.complete && i.naturalWidth > 0; }"
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _choose(page: Page, data: bytes, name: str = "slice.png") -> None:
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": data})


def test_a_dropped_slice_is_answered_with_its_heat_map(page: Page, slice_png: bytes) -> None:
    page.evaluate(_DROP, [_encoded(slice_png), "dropped.png"])

    expect(page.locator("#result")).to_be_visible()
    expect(page.locator("#heat")).to_be_visible()
    expect(page.locator("#file-name")).to_have_text("dropped.png")
    expect(page.locator("#decision")).to_have_text("Confident")
    expect(page.locator("#predicted")).to_have_text("Normal")
    expect(page.locator("#probabilities tr")).to_have_count(4)
    expect(page.locator("#announcement")).to_contain_text("Normal, probability")
    expect(page.locator("#synthetic")).to_be_hidden()
    for picture in ("slice", "heat"):
        page.wait_for_function(_IS_DRAWN, arg=picture)
    bars = page.evaluate("Chart.getChart('chart').data.datasets[0].data")
    assert sum(bars) == pytest.approx(1)


def test_the_slider_fades_the_heat_map_by_keyboard(page: Page, slice_png: bytes) -> None:
    _choose(page, slice_png)
    expect(page.locator("#heat-control")).to_be_visible()

    page.get_by_label("Heat map", exact=True).focus()
    page.keyboard.press("Home")

    expect(page.locator("#heat")).to_have_css("opacity", "0")
    expect(page.locator("#opacity-value")).to_have_text("0 %")


def test_a_pasted_slice_is_answered(page: Page, slice_png: bytes) -> None:
    page.evaluate(_PASTE, _encoded(slice_png))

    expect(page.locator("#result")).to_be_visible()


def test_a_sample_is_answered_and_called_synthetic(page: Page) -> None:
    page.get_by_role("button", name="Synthetic 2").click()

    expect(page.locator("#synthetic")).to_be_visible()
    expect(page.locator("#heat")).to_be_visible()


def test_a_refused_file_says_why_in_words(page: Page, slice_png: bytes) -> None:
    _choose(page, slice_png[: len(slice_png) // 2])

    expect(page.locator("#refusal")).to_be_visible()
    expect(page.locator("#refusal-title")).to_have_text("The image is cut short")
    expect(page.locator("#refusal-remedy")).to_contain_text("Export or copy the slice again")
    expect(page.locator("#announcement")).to_contain_text("Not classified")
    expect(page.locator("#result")).to_be_hidden()
    expect(page.locator("#heat")).to_be_hidden()


def test_a_picture_that_is_no_slice_is_left_to_a_person(page: Page) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (256, 256), np.uint8)
    _choose(page, encode_png(noise))

    expect(page.locator("#decision")).to_have_text("A person should review")
    expect(page.locator("#warnings li").first).to_contain_text("does not look like a CT slice")


def test_another_slice_can_follow(page: Page, slice_png: bytes) -> None:
    for data, shown in ((slice_png[:100], "#refusal"), (slice_png, "#result"), (slice_png, "#result")):
        _choose(page, data)
        expect(page.locator(shown)).to_be_visible()
    page.get_by_role("button", name="Another slice").click()

    expect(page.locator("#drop")).to_be_visible()
    expect(page.locator("#result")).to_be_hidden()
    assert page.evaluate("document.activeElement.id") == "file"


def test_the_newest_of_two_slices_wins(page: Page, slice_png: bytes) -> None:
    page.evaluate(_DROP, [_encoded(slice_png), "first.png"])
    page.evaluate(_DROP, [_encoded(b"no image"), "second.png"])

    expect(page.locator("#refusal")).to_be_visible()
    expect(page.locator("#result")).to_be_hidden()
    expect(page.locator("#file-name")).to_have_text("second.png")


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>.png", "<script>alert(1)</script>.png", '"><svg onload=alert(1)>.png']
)
def test_a_file_name_is_only_ever_text(page: Page, slice_png: bytes, name: str) -> None:
    _choose(page, slice_png, name)

    expect(page.locator("#result")).to_be_visible()
    expect(page.locator("#file-name")).to_have_text(name)
    assert page.locator("#file-name *").count() == 0


def test_the_measured_performance_is_shown_with_its_intervals(page: Page) -> None:
    expect(page.locator("#figures")).to_contain_text("Accuracy")
    expect(page.locator("#figures")).to_contain_text("88.0")
    expect(page.locator("#performance-note")).to_contain_text("315 slices of phantoms (test)")
    expect(page.locator("#performance-note")).to_contain_text("trained on none of them")
    expect(page.locator("#performance-note")).to_contain_text("201 have no near copy")


def test_figures_on_slices_trained_on_are_said_to_flatter(page: Page) -> None:
    measured = {"n": 9, "n_trained_on": 4, "accuracy": {"value": 1, "low": None, "high": None}, "model_version": "m"}
    page.route("**/metrics", lambda route: route.fulfill(json=measured))
    page.reload()

    expect(page.locator("#performance-note")).to_contain_text("also trained on 4 of them, so these figures flatter it")
    expect(page.locator("#figures div")).to_have_count(1)
    expect(page.locator("#figures")).to_contain_text("100.0")


def test_an_unmeasured_model_is_said_to_be_unmeasured(page: Page) -> None:
    page.route("**/metrics", lambda route: route.fulfill(status=404, json={"code": "metrics-missing", "detail": "x"}))
    page.reload()

    expect(page.locator("#performance-note")).to_contain_text("was not measured")


def test_an_answer_that_is_not_hilums_is_survived(page: Page, slice_png: bytes) -> None:
    page.route("**/predict", lambda route: route.fulfill(status=429, body="not from hilum"))
    _choose(page, slice_png)

    expect(page.locator("#refusal-title")).to_have_text("The server refused")
    page.unroute("**/predict")
    _choose(page, slice_png)
    expect(page.locator("#result")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_it_fits_the_screen_in_both_colour_schemes(page: Page, slice_png: bytes, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 800})

    assert page.evaluate(_OVERFLOW) == 0
    _choose(page, slice_png, "a-very-long-file-name-" * 10 + ".png")
    expect(page.locator("#heat")).to_be_visible()
    assert page.evaluate(_OVERFLOW) == 0


def test_everything_can_be_reached_by_keyboard(page: Page) -> None:
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))

    assert reached[0] == "Skip to content"
    assert "file" in reached
    assert [name for name in reached if name.startswith("Synthetic")] == ["Synthetic 1", "Synthetic 2", "Synthetic 3"]


def test_it_is_plainly_no_medical_device(page: Page) -> None:
    expect(page.get_by_role("note")).to_contain_text("Research use only")
    expect(page.get_by_role("note")).to_contain_text("Not a medical device")


def test_the_api_documentation_works_without_the_internet(page: Page) -> None:
    page.get_by_role("link", name="API").click()

    expect(page.locator("#operations-predictions-predict_predict_post")).to_be_visible()
    expect(page.get_by_role("note")).to_be_visible()
