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
            faults[path] = serious_faults(blank)
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
