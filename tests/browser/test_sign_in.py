"""Signing in and out in a real browser, before a server that asks for keys."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.error import URLError

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from hilum.services.keys import Role, create_key
from hilum.services.state import StatePlaces, prepare

_SERVE = "from hilum.settings import Settings; from hilum.web.server import serve; serve(Settings())"


def await_ready(origin: str) -> None:
    """Waits until the server answers."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{origin}/health/ready", timeout=5):
                return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    pytest.fail("the server was not ready within 30 s")


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A key, and the home of the server that knows it."""
    home = tmp_path_factory.mktemp("closed") / "home"
    places = StatePlaces(home)
    prepare(places)
    with closing(places.open_database()) as database:
        return create_key(database, "browser", Role.ANNOTATE).token, home


@pytest.fixture(scope="module")
def origin(key: tuple[str, Path], tiny_bundle: Path) -> Iterator[str]:
    """Where a server that asks for keys answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "HILUM_MODEL": str(tiny_bundle), "HILUM_PORT": str(port), "HILUM_LOG_LEVEL": "error",
        "HILUM_HOME": str(key[1]), "HILUM_API_KEYS_REQUIRED": "true",
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-c", _SERVE], env=environment)
    try:
        await_ready(f"http://localhost:{port}")
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(20)


def test_signing_in_classifying_and_signing_out(
    page: Page, context: BrowserContext, key: tuple[str, Path], origin: str
) -> None:
    expect(page).to_have_url(f"{origin}/sign-in")
    page.get_by_label("API key").fill("hilum_00000000_nonsense")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The API key is not valid")

    page.get_by_label("API key").fill(key[0])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{origin}/")
    page.wait_for_load_state("load")
    (cookie,) = context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert page.evaluate("document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)") == "{}{}"
    page.get_by_role("button", name="Synthetic 1").click()
    expect(page.locator("#result")).to_be_visible()
    expect(page.locator("#heat")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{origin}/sign-in")
    page.goto(origin)
    expect(page).to_have_url(f"{origin}/sign-in")
