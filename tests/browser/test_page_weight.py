"""How heavy pages are, how soon they show something, and whether they answer while many files go out."""

from __future__ import annotations

import gzip
import logging
import re
from pathlib import Path
from typing import Any

import cv2
import pytest
from playwright.sync_api import Page, Response, expect

from hilum.imaging.phantoms import draw_phantom

log = logging.getLogger(__name__)

_MOST_BYTES = 250_000
_FIRST_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
_WATCH = """
() => {
  window.longTasks = []; window.gaps = [];
  new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ type: "longtask" });
  let last = performance.now();
  setInterval(() => { const now = performance.now(); window.gaps.push(now - last); last = now; }, 20);
}
"""
_MOST_GAP_MS = 3_000
"""A page that works through all its files at once stops for longer, however slow the machine."""


@pytest.mark.parametrize("path", ["/", "/study", "/history", "/data", "/training", "/registry", "/performance"])
def test_the_scripts_of_a_page_are_light(blank: Page, origin: str, path: str) -> None:
    sizes: dict[str, int] = {}

    def weigh(response: Response) -> None:
        if response.request.resource_type == "script":
            sizes[response.url] = len(gzip.compress(response.body(), 6))

    blank.on("requestfinished", lambda request: weigh(request.response()))  # type: ignore[arg-type]
    blank.goto(origin + path, wait_until="networkidle")
    painted: Any = blank.evaluate(_FIRST_PAINT)
    log.info("%s: %d bytes of script, first paint after %.0f ms", path, sum(sizes.values()), painted)
    assert sizes
    assert sum(sizes.values()) < _MOST_BYTES


def test_the_page_answers_while_500_files_go_out(page: Page, slice_png: bytes, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.png" for number in range(500)]
    for file in files:
        file.write_bytes(slice_png)
    page.evaluate(_WATCH)
    page.set_input_files("#file", files)
    expect(page.locator(".queue-item")).to_have_count(500)
    page.get_by_role("button", name="Zoom in").click()
    expect(page.locator("#zoom-value")).to_have_text("125\u00a0%")
    page.locator("#queue-filter").select_option("review")
    expect(page.locator("#queue-summary")).to_contain_text("500 of 500", timeout=180_000)
    assert _longest_gap(page) < _MOST_GAP_MS
    expect(page.locator(".queue-item:visible")).to_have_count(500)


def _longest_gap(page: Page) -> float:
    tasks, gaps = page.evaluate("() => [window.longTasks, window.gaps]")
    log.info("%d tasks above 50 ms, the longest %.0f ms", len(tasks), max(tasks, default=0))
    log.info("the event loop's longest gap was %.0f ms", max(gaps))
    return float(max(gaps))


def test_the_page_about_data_answers_while_500_files_go_out(blank: Page, origin: str, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.png" for number in range(500)]
    for number, file in enumerate(files):
        file.write_bytes(cv2.imencode(".png", draw_phantom(number, side=128))[1].tobytes())
    blank.goto(f"{origin}/data", wait_until="networkidle")
    blank.evaluate(_WATCH)
    blank.get_by_label("Class", exact=True).first.fill("normal")
    blank.set_input_files("#files", files)
    expect(blank.locator("#report-words")).to_have_text(re.compile("of 500 files sent"))
    blank.locator("#status").select_option("quarantined")  # the page is worked on meanwhile
    expect(blank.locator("#images-state, #images-list")).not_to_have_count(0)
    expect(blank.locator("#report-words")).to_have_text("500 files sent", timeout=240_000)
    counts = blank.locator("#report-counts dd").all_text_contents()
    assert sum(int(count) for count in counts) == 500
    assert _longest_gap(blank) < _MOST_GAP_MS
