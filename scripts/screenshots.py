"""Takes pictures of every page, wide and narrow, light and dark, into build/screenshots, and the README's picture.

Starts a server with a state of its own, fills it with drawn slices and trains on them: no picture shows a person.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
from page_actions import drop
from playwright.sync_api import Browser, Page, sync_playwright
from retraining_server import labelled_zip, retraining_server

from hilum.imaging.phantoms import draw_phantom
from series_files import series_slice, zip_of
from server_process import running_server

CHROMIUM = os.environ.get("HILUM_TEST_CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "screenshots"
README = ROOT / "docs" / "images" / "classify.png"
WIDTHS, SCHEMES = {"wide": 1440, "narrow": 360}, ("light", "dark")
EMPTY = ("history", "data", "training", "registry")
_WAIT_MS, _RUN_MS = 90_000, 400_000
_IS_DRAWN = "() => [...document.images].every((one) => one.complete)"


def _drawn(seeds: range, **options: bool) -> list[dict[str, object]]:
    """Files of drawn slices."""
    pictures = [(seed, cv2.imencode(".png", draw_phantom(seed, **options))[1].tobytes()) for seed in seeds]
    return [{"name": f"phantom-{seed}.png", "mimeType": "image/png", "buffer": data} for seed, data in pictures]


def _classify(page: Page, address: str) -> None:
    page.goto(address)
    page.set_input_files("#file", _drawn(range(1, 8)))  # type: ignore[arg-type]
    page.get_by_text("7 of 7").wait_for(timeout=_WAIT_MS)
    page.locator(".queue-item").nth(1).click()
    page.locator("#heat").wait_for(timeout=_WAIT_MS)


def _read_series(page: Page, address: str) -> None:
    page.goto(f"{address}/study")
    series = zip_of([series_slice(number) for number in range(12)])
    page.set_input_files("#file", [{"name": "series.zip", "mimeType": "application/zip", "buffer": series}])
    page.locator("#study").wait_for(timeout=_WAIT_MS)
    page.locator("#heat").wait_for(timeout=_WAIT_MS)


def _fill(page: Page, address: str) -> None:
    """Confirms an answer, and adds labelled slices: copies, near copies, and some under two classes."""
    page.locator(".verdict-choice").first.click()
    page.get_by_text("Kept: you confirmed").wait_for(timeout=_WAIT_MS)
    page.goto(f"{address}/data")
    drop(page, labelled_zip(train=8, test=6), "labelled.zip", "#landing")
    page.get_by_text("1 file sent", exact=True).wait_for(timeout=_WAIT_MS)
    for label, seeds in (("normal", range(20, 28)), ("adenocarcinoma", range(40, 46)), ("normal", range(44, 52))):
        page.get_by_label("Class", exact=True).first.fill(label)
        page.set_input_files("#files", _drawn(seeds))  # type: ignore[arg-type]
        page.get_by_text(f"{len(seeds)} files sent", exact=True).wait_for(timeout=_WAIT_MS)
        page.reload()


def _train(page: Page, address: str) -> None:
    """A run to its end, which is photographed on the way."""
    page.goto(f"{address}/training")
    page.get_by_label("Note").fill("Slices of the last two weeks")
    page.get_by_text("More choices").click()
    page.get_by_label("Who decides on promotion").select_option("manual")
    page.get_by_label("Epochs, at most").fill("16")
    page.get_by_role("button", name="Start training").click()
    page.locator("#run-charts").wait_for(timeout=_RUN_MS)
    _shoot(page, "training-live", "wide", "light")
    page.get_by_text("Against the champion").wait_for(timeout=_RUN_MS)


def _open_findings(page: Page) -> None:
    for finding in page.locator(".examples").all():
        finding.locator("summary").click()


def _choose_cell(page: Page) -> None:
    page.locator(".cell-wrong:not([data-depth='0'])").first.click()
    page.get_by_text("of the measurement").wait_for(timeout=_WAIT_MS)


def _shoot(page: Page, name: str, size: str, scheme: str) -> None:
    page.wait_for_load_state("networkidle")
    height = page.evaluate("document.body.scrollHeight")
    for top in (*range(0, height, 700), 0):  # so that pictures further down are loaded
        page.evaluate(f"window.scrollTo(0, {top})")
        page.wait_for_timeout(120)
    page.wait_for_function(_IS_DRAWN, timeout=_WAIT_MS)
    page.screenshot(path=FOLDER / f"{name}-{size}-{scheme}.png", full_page=True)


@contextmanager
def _page(browser: Browser, size: str, scheme: str) -> Iterator[Page]:
    page = browser.new_page(
        viewport={"width": WIDTHS[size], "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    yield page
    page.close()


def _first_start(page: Page, address: str, size: str, scheme: str) -> None:
    page.goto(address)
    _shoot(page, "first-start", size, scheme)
    for name in EMPTY:
        page.goto(f"{address}/{name}")
        _shoot(page, f"first-{name}", size, scheme)


def _every_page(page: Page, address: str, size: str, scheme: str) -> None:
    _classify(page, address)
    _shoot(page, "classify", size, scheme)
    _read_series(page, address)
    _shoot(page, "series", size, scheme)
    for name in ("history", "data", "training", "registry", "performance"):
        page.goto(f"{address}/{name}", wait_until="networkidle")
        if name == "data":
            _open_findings(page)
        if name == "performance":
            _choose_cell(page)
        _shoot(page, name, size, scheme)
    page.goto(f"{address}/registry")
    page.get_by_role("button", name="Promote").first.click()
    page.get_by_role("dialog").wait_for(timeout=_WAIT_MS)
    page.screenshot(path=FOLDER / f"promote-{size}-{scheme}.png")


def take_pictures(address: str) -> None:
    """Writes `PAGE-SIZE-SCHEME.png` for every page of the server at `address`, and the README's picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for size, scheme in (("wide", "light"), ("narrow", "dark")):
            with _page(browser, size, scheme) as page:
                _first_start(page, address, size, scheme)
        with _page(browser, "wide", "light") as page:
            _classify(page, address)
            _fill(page, address)
            _train(page, address)
        for size in WIDTHS:
            for scheme in SCHEMES:
                with _page(browser, size, scheme) as page:
                    _every_page(page, address, size, scheme)
        browser.close()


def take_readme_picture(address: str) -> None:
    """Writes the README's picture, of a server whose model answers as it was shipped."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with _page(browser, "wide", "light") as page:
            _classify(page, address)
            _shoot(page, "readme", "wide", "light")
            README.write_bytes((FOLDER / "readme-wide-light.png").read_bytes())
        browser.close()


def main() -> None:
    """Photographs every page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_server(ROOT / "models" / "reference", Path(folder) / "server.log") as server,
    ):
        take_readme_picture(f"http://localhost:{server.port}")
    with tempfile.TemporaryDirectory() as folder, retraining_server(Path(folder)) as server:
        take_pictures(f"http://localhost:{server.port}")


if __name__ == "__main__":
    main()
