"""Measures the dashboard in headless Chromium: first paint, script weight, a long history, 500 files going out."""

from __future__ import annotations

import argparse
import gzip
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
from playwright.sync_api import Browser, Page, sync_playwright

from bench import machine
from bench.figures import percentile, report, spread, table
from bench.long_history import fill
from bench.topology import Instance
from hilum.imaging.phantoms import draw_phantom
from hilum.services.state import StatePlaces

PAGES = ("/", "/study", "/history", "/data", "/training", "/registry", "/performance")
_CHROMIUM = os.environ.get("HILUM_TEST_CHROMIUM", "/usr/bin/chromium")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_MOST_PAINT_MS, _MOST_SCRIPT, _MOST_TURN_MS, _MOST_GAP_MS = 1000, 250_000, 1000, 200
_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"
_WATCH = """() => {
  window.gaps = []; window.tasks = [];
  new PerformanceObserver((list) => tasks.push(...list.getEntries().map((one) => one.duration)))
    .observe({ type: 'longtask' });
  let last = performance.now();
  const beat = () => { const now = performance.now(); gaps.push(now - last); last = now; requestAnimationFrame(beat); };
  requestAnimationFrame(beat);
}"""
_TURN = """([id, act]) => new Promise((done) => {
  const rows = document.getElementById('history-rows');
  const began = performance.now();
  new MutationObserver((_, watcher) => {
    watcher.disconnect();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
  }).observe(rows, { childList: true });
  const field = document.getElementById(id);
  if (act === null) field.click();
  else { field.value = act; field.dispatchEvent(new Event('change', { bubbles: true })); }
})"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the tables and writes the JSON; 1 where a goal is missed."""
    options = _parser().parse_args(arguments)
    about = machine.description()
    with TemporaryDirectory(prefix="hilum-pages-") as folder:
        instance = Instance(0, os.environ | {"HILUM_RATE_LIMIT": "0"}, Path(folder))
        instance.command("db", "upgrade")
        fill(StatePlaces(instance.home), options.rows)
        instance.start()
        try:
            instance.wait_until_ready()
            results = _measure(f"http://localhost:{instance.port}", options)
        finally:
            instance.terminate()
    report("pages", about, results, _table(results), options.out)
    return 0 if all(results["goals"].values()) else 1


def _measure(origin: str, options: argparse.Namespace) -> dict[str, Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_FLAGS)
        paints = {path: _paint(browser, origin + path, options.times) for path in PAGES}
        history = _history(browser, origin, options.times)
        uploads = {path: _upload(browser, origin + path, options.files) for path in ("/", "/data")}
        browser.close()
    goals = {
        f"first contentful paint below {_MOST_PAINT_MS} ms": max(one["paint_ms"]["max"] for one in paints.values())
        < _MOST_PAINT_MS,
        f"script below {_MOST_SCRIPT:,} bytes, compressed": max(one["script_bytes"] for one in paints.values())
        < _MOST_SCRIPT,
        f"pages of the history below {_MOST_TURN_MS} ms": max(one["max"] for one in history.values()) < _MOST_TURN_MS,
        f"99 % of frames below {_MOST_GAP_MS} ms apart": max(one["gap_p99_ms"] for one in uploads.values())
        < _MOST_GAP_MS,
    }
    return {"rows": options.rows, "paints": paints, "history": history, "uploads": uploads, "goals": goals}


def _paint(browser: Browser, address: str, times: int) -> dict[str, Any]:
    """First contentful paint with nothing cached, and the page's scripts compressed by gzip."""
    spent: list[float] = []
    scripts: dict[str, bytes] = {}
    for _ in range(times):
        page = browser.new_page()
        page.on("response", lambda one: scripts.update({one.url: one.body()}) if one.url.endswith(".js") else None)
        page.goto(address, wait_until="networkidle")
        spent.append(page.evaluate(_PAINT))
        page.close()
    weight = sum(len(gzip.compress(body, 6)) for body in scripts.values())
    return {"paint_ms": spread(spent, 0), "script_bytes": weight}


def _history(browser: Browser, origin: str, times: int) -> dict[str, Any]:
    """From a click or a choice to the new rows on the screen."""
    page = browser.new_page()
    page.goto(f"{origin}/history", wait_until="networkidle")

    def timed(field: str, value: Callable[[int], str | None], before: Callable[[], None] = lambda: None) -> Any:
        spent = []
        for number in range(times):
            before()
            spent.append(page.evaluate(_TURN, [field, value(number)]))
            page.wait_for_load_state("networkidle")
        return spread(spent, 0)

    older = timed("older", lambda _: None)
    newer = timed("newer", lambda _: None)
    filtered = timed("predicted_class", lambda number: ("normal", "")[number % 2])
    decided = timed("decision", lambda number: ("review", "")[number % 2])
    page.close()
    return {"older page": older, "newer page": newer, "filter by class": filtered, "filter by decision": decided}


def _upload(browser: Browser, address: str, count: int) -> dict[str, Any]:
    """Gaps between frames, and long tasks, while files go out."""
    page = browser.new_page()
    page.goto(address, wait_until="networkidle")
    with TemporaryDirectory(prefix="hilum-slices-") as folder:
        files = [Path(folder) / f"{number}.png" for number in range(count)]
        for number, file in enumerate(files):
            file.write_bytes(cv2.imencode(".png", draw_phantom(number, side=256))[1].tobytes())
        page.evaluate(_WATCH)
        _send(page, address, files)
    gaps, tasks = page.evaluate("() => [window.gaps, window.tasks]")
    page.close()
    return {
        "files": count,
        "gap_p50_ms": round(percentile(gaps, 50), 1),
        "gap_p99_ms": round(percentile(gaps, 99), 1),
        "gap_max_ms": round(max(gaps), 1),
        "longest_task_ms": round(max(tasks, default=0), 1),
        "long_tasks": len(tasks),
    }


def _send(page: Page, address: str, files: list[Path]) -> None:
    if address.endswith("/data"):
        page.fill("#label", "normal")
        page.set_input_files("#files", files)
        page.get_by_text(f"{len(files)} files sent", exact=True).wait_for(timeout=600_000)
    else:
        page.set_input_files("#file", files)
        page.get_by_text(f"{len(files)} of {len(files)}").wait_for(timeout=600_000)


def _table(results: dict[str, Any]) -> str:
    paints = [
        (path, one["paint_ms"]["median"], one["paint_ms"]["max"], one["script_bytes"])
        for path, one in results["paints"].items()
    ]
    history = [(name, one["median"], one["max"], one["n"]) for name, one in results["history"].items()]
    uploads = [
        (path, one["files"], one["gap_p50_ms"], one["gap_p99_ms"], one["gap_max_ms"], one["longest_task_ms"])
        for path, one in results["uploads"].items()
    ]
    goals = [("yes" if is_met else "NO", name) for name, is_met in results["goals"].items()]
    return "\n\n".join(
        (
            table(("page", "first paint ms", "max", "script bytes, gzip"), paints),
            table((f"history of {results['rows']:,}", "median ms", "max ms", "n"), history),
            table(("upload", "files", "frame gap ms", "p99", "max", "longest task ms"), uploads),
            table(("met", "goal"), goals),
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="predictions in the history [100000]")
    parser.add_argument("--times", type=int, default=10, help="repetitions [10]")
    parser.add_argument("--files", type=int, default=500, help="files that go out [500]")
    parser.add_argument("--out", type=Path, help="JSON file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
