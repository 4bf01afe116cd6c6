"""Nothing serious or critical for axe-core on any page, in either colour scheme and on a narrow screen."""

from __future__ import annotations

import pytest
from page_actions import CUT_OFF, OVERFLOW, choose, serious_faults
from playwright.sync_api import Page, expect

PAGES = (
    "/",
    "/study",
    "/history",
    "/data",
    "/training",
    "/registry",
    "/performance",
    "/docs",
    "/problems/not-a-chest-ct",
    "/nope",
)
SCREENS = [("light", 1280), ("dark", 360)]


@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_no_page_has_serious_faults(blank: Page, origin: str, scheme: str, width: int) -> None:
    blank.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    blank.set_viewport_size({"width": width, "height": 800})
    faults = {}
    for path in PAGES:
        blank.goto(origin + path, wait_until="networkidle")
        if path != "/docs":  # Swagger UI's own markup is not ours to mend
            faults[path] = serious_faults(blank, "moderate")
            assert blank.evaluate(CUT_OFF) == [], path
        assert blank.evaluate(OVERFLOW) <= 0, path
    assert [fault for found in faults.values() for fault in found] == []


@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_answers_and_refusals_have_no_serious_faults(page: Page, slice_png: bytes, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 800})
    choose(page, ("slice.png", slice_png), ("broken.png", slice_png[:99]))
    expect(page.locator("#heat")).to_be_visible()
    assert serious_faults(page) == []
    page.locator(".queue-item").last.click()
    expect(page.locator("#refusal")).to_be_visible()
    assert serious_faults(page) == []


def test_the_whole_navigation_shows_at_twice_the_size(page: Page) -> None:
    for width in (720, 600, 360):
        page.set_viewport_size({"width": width, "height": 450})
        for link in page.locator("nav a").all():
            expect(link).to_be_in_viewport(ratio=1)


def test_focus_shows_on_what_is_chosen_already(blank: Page, origin: str) -> None:
    blank.goto(f"{origin}/performance", wait_until="networkidle")
    cell = blank.locator("#confusion-table button").first
    cell.focus()
    blank.keyboard.press("Enter")
    expect(cell).to_have_attribute("aria-pressed", "true")
    expect(cell).to_have_css("outline-width", "3px")
    blank.emulate_media(forced_colors="active")
    blank.locator("nav a[aria-current]").focus()
    blank.keyboard.press("Tab")
    blank.keyboard.press("Shift+Tab")
    expect(blank.locator("nav a[aria-current]")).to_have_css("outline-width", "3px")


def test_the_place_and_the_chosen_slice_show_in_forced_colours(page: Page, slice_png: bytes) -> None:
    page.emulate_media(forced_colors="active")
    expect(page.locator("nav a[aria-current]")).to_have_css("outline-style", "solid")
    choose(page, ("one.png", slice_png), ("two.png", slice_png))
    expect(page.locator(".queue-item[aria-current]")).to_have_css("outline-style", "solid")
    expect(page.locator(".queue-item:not([aria-current])")).to_have_css("outline-style", "none")
