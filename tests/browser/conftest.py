"""A real browser before a real server. Anything from another origin, and any console error, fails the test."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

_CHROMIUM = Path(os.environ.get("HILUM_TEST_CHROMIUM", "/usr/bin/chromium"))
_VENDOR = Path(__file__).parents[2] / "src" / "hilum" / "web" / "static" / "vendor"
_SERVE = "from hilum.settings import Settings; from hilum.web.server import serve; serve(Settings())"
_REFUSED = "Failed to load resource: the server responded with a status of 4"
"""Chromium logs every answered 4xx as an error, also where the page handles it."""


@pytest.fixture(scope="module")
def origin(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server of the tiny bundle answers."""
    if not (_VENDOR / "chart.umd.min.js").is_file():
        pytest.skip("the page's scripts are not built: run `npm ci && npm run build`")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"HILUM_MODEL": str(tiny_bundle), "HILUM_PORT": str(port), "HILUM_LOG_LEVEL": "error"}
    environment |= {"HILUM_HOME": str(tmp_path_factory.mktemp("home"))}
    process = subprocess.Popen([sys.executable, "-c", _SERVE], env=environment)
    origin = f"http://localhost:{port}"
    try:
        _await_ready(origin)
        yield origin
    finally:
        process.terminate()
        process.wait(20)


def _await_ready(origin: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{origin}/health/ready", timeout=5):
                return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    pytest.fail("the server was not ready within 30 s")


@pytest.fixture(scope="module")
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
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, origin: str) -> Iterator[Page]:
    """The page, watched: other origins, console errors, script errors and dialogs fail the test."""
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
    page.goto(origin)
    yield page
    assert faults == []
