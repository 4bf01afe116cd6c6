"""How heavy pages are, how soon they show something, and whether they answer while many files go out."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

log = logging.getLogger(__name__)

_MOST_BYTES = 250_000
_FIRST_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
_WATCH_TASKS = """
() => {
  window.longTasks = [];
  new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ type: "longtask" });
}
"""


@pytest.mark.parametrize("path", ["/", "/history", "/data", "/training", "/registry", "/performance"])
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
    page.evaluate(_WATCH_TASKS)
    page.set_input_files("#file", files)
    expect(page.locator(".queue-item")).to_have_count(500)
    page.get_by_role("button", name="Zoom in").click()
    expect(page.locator("#zoom-value")).to_have_text("125\u00a0%")
    page.locator("#queue-filter").select_option("review")
    expect(page.locator("#queue-summary")).to_contain_text("500 of 500", timeout=180_000)
    tasks = page.evaluate("() => window.longTasks")
    log.info("500 files: %d tasks above 50 ms, the longest %.0f ms", len(tasks), max(tasks, default=0))
    expect(page.locator(".queue-item:visible")).to_have_count(500)
