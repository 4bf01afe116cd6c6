"""Takes the README's picture of the page: starts the server and shows it a synthetic slice."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"


def take_pictures(address: str) -> None:
    """Writes `classify.png`: the answer to the second synthetic slice, from the server at `address`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
        page.goto(address)
        page.locator("[data-sample='2']").click()
        page.wait_for_selector("text=Any of the cancer classes")
        page.wait_for_timeout(1500)
        page.screenshot(path=FOLDER / "classify.png", full_page=True)
        browser.close()


def main() -> None:
    """Starts `hilum serve` on a free port, waits for it and photographs it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    hilum = Path(sys.executable).parent / "hilum"
    server = subprocess.Popen([hilum, "serve"], env={**os.environ, "HILUM_PORT": str(port)}, stderr=subprocess.DEVNULL)
    try:
        ready = ["curl", "--silent", "--fail", "--retry", "40", "--retry-delay", "1", "--retry-all-errors"]
        subprocess.run([*ready, "--output", os.devnull, f"{address}/health/ready"], check=True)
        take_pictures(address)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
