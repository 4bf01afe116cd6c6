"""Takes pictures of every page, wide and narrow, light and dark, into build/screenshots, and the README's picture.

Starts a server with a state of its own and fills it with drawn slices: no picture shows a person.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
from playwright.sync_api import Browser, Page, sync_playwright

from hilum.imaging.phantoms import draw_phantom

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "screenshots"
README = ROOT / "docs" / "images" / "classify.png"
WIDTHS, SCHEMES = {"wide": 1440, "narrow": 360}, ("light", "dark")
PAGES = ("history", "data", "training", "registry", "performance")
_WAIT_MS = 90_000
_FILES = {"name": "", "mimeType": "image/png"}


def _drawn(seeds: range, **options: bool) -> list[dict[str, object]]:
    """Files of drawn slices."""
    pictures = [(seed, cv2.imencode(".png", draw_phantom(seed, **options))[1].tobytes()) for seed in seeds]
    return [_FILES | {"name": f"phantom-{seed}.png", "buffer": data} for seed, data in pictures]


def _classify(page: Page, address: str) -> None:
    page.goto(address)
    page.set_input_files("#file", _drawn(range(1, 8)))  # type: ignore[arg-type]
    page.get_by_text("7 of 7").wait_for(timeout=_WAIT_MS)
    page.locator(".queue-item").nth(1).click()
    page.locator("#heat").wait_for(timeout=_WAIT_MS)


def _fill(page: Page, address: str) -> None:
    """Confirms an answer, and adds labelled slices of which one contradicts another."""
    page.locator(".verdict-choice").first.click()
    page.get_by_text("Kept: you confirmed").wait_for(timeout=_WAIT_MS)
    page.goto(f"{address}/data")
    for label, seeds, has_mass in (("normal", range(20, 34), False), ("adenocarcinoma", range(40, 52), True)):
        page.get_by_label("Class", exact=True).first.fill(label)
        page.set_input_files("#files", _drawn(seeds, with_mass=has_mass))  # type: ignore[arg-type]
        page.get_by_text(f"{len(seeds)} files sent").wait_for(timeout=_WAIT_MS)
    page.get_by_label("Class", exact=True).first.fill("squamous_cell_carcinoma")
    page.set_input_files("#files", _drawn(range(40, 42), with_mass=True))  # type: ignore[arg-type]
    page.get_by_text("2 files sent").wait_for(timeout=_WAIT_MS)


def _shoot(page: Page, name: str, size: str, scheme: str) -> None:
    page.wait_for_load_state("networkidle")
    for end in ("document.body.scrollHeight", "0"):  # so that pictures further down are loaded
        page.evaluate(f"window.scrollTo(0, {end})")
        page.wait_for_timeout(700)
    page.screenshot(path=FOLDER / f"{name}-{size}-{scheme}.png", full_page=True)


def _page(browser: Browser, size: str, scheme: str) -> Page:
    return browser.new_page(
        viewport={"width": WIDTHS[size], "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )


def take_pictures(address: str) -> None:
    """Writes `PAGE-SIZE-SCHEME.png` for every page of the server at `address`, and the README's picture."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        first = _page(browser, "wide", "light")
        first.goto(address)
        _shoot(first, "first-start", "wide", "light")
        _classify(first, address)
        _shoot(first, "classify", "wide", "light")
        README.write_bytes((FOLDER / "classify-wide-light.png").read_bytes())
        _fill(first, address)
        for size in WIDTHS:
            for scheme in SCHEMES:
                page = _page(browser, size, scheme)
                _classify(page, address)
                _shoot(page, "classify", size, scheme)
                for name in PAGES:
                    page.goto(f"{address}/{name}")
                    _shoot(page, name, size, scheme)
                page.close()
        browser.close()


@contextmanager
def running_server() -> Iterator[str]:
    """Where `hilum serve` answers on a free port, with a new state, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    hilum = Path(sys.executable).parent / "hilum"
    with tempfile.TemporaryDirectory() as home:
        settings = os.environ | {"HILUM_PORT": str(port), "HILUM_HOME": home}
        server = subprocess.Popen([hilum, "serve"], env=settings, stderr=subprocess.DEVNULL)
        try:
            ready = ["curl", "--silent", "--fail", "--retry", "60", "--retry-delay", "1", "--retry-all-errors"]
            subprocess.run([*ready, "--output", os.devnull, f"{address}/health/ready"], check=True)
            yield address
        finally:
            server.terminate()
            server.wait()


def main() -> None:
    """Photographs every page."""
    with running_server() as address:
        take_pictures(address)


if __name__ == "__main__":
    main()
