"""A real browser before a real server. Anything from another origin, and any console error, fails the test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_actions import WAIT_MS
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from server_process import running_server

_ROOT = Path(__file__).parents[2]
_CHROMIUM = Path(os.environ.get("HILUM_TEST_CHROMIUM", "/usr/bin/chromium"))
_VENDOR = _ROOT / "src" / "hilum" / "web" / "static" / "vendor"
_REFUSED = "Failed to load resource: the server responded with a status of 4"
"""Chromium logs every answered 4xx as an error, also where the page handles it."""


expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="session")
def built_pages() -> None:
    """Skips where the pages' scripts are not built."""
    if not (_VENDOR / "chart.umd.min.js").is_file():
        pytest.skip("the page's scripts are not built: run `npm ci && npm run build`")


@pytest.fixture(scope="session")
def reference_server(built_pages: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server of the reference model answers, shared by all browser tests."""
    log = tmp_path_factory.mktemp("reference") / "server.log"
    with running_server(_ROOT / "models" / "reference", log) as server:
        yield f"http://localhost:{server.port}"


@pytest.fixture
def origin(reference_server: str) -> str:
    """Where the server of these tests answers; modules that need another one override this."""
    return reference_server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, headless."""
    if not _CHROMIUM.exists():
        pytest.skip(f"there is no Chromium at {_CHROMIUM}; install Debian's, or name one in HILUM_TEST_CHROMIUM")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(_CHROMIUM), args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh profile that prefers no motion."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(WAIT_MS)
    yield context
    context.close()


@pytest.fixture
def blank(context: BrowserContext, origin: str) -> Iterator[Page]:
    """A page not yet opened, watched: other origins, console errors, script errors and dialogs fail the test."""
    faults: list[str] = []

    def watch_request(request: Request) -> None:
        if not request.url.startswith((origin, "blob:", "data:")):
            faults.append(f"another origin: {request.url}")

    def watch_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_REFUSED):
            faults.append(f"console: {message.text}")

    page = context.new_page()
    page.on("request", watch_request)
    page.on("console", watch_console)
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    yield page
    assert faults == []


@pytest.fixture
def page(blank: Page, origin: str) -> Page:
    """The first page, watched."""
    blank.goto(origin)
    return blank
