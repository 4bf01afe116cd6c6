"""The pure parts of the measuring programs; nothing here is timed."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest
from bench.client import multipart
from bench.figures import percentile, report, spread, table
from bench.serve import missed_goals
from bench.stages import measure, timed_stages
from bench.train import run_measured
from bench.wrk import Load, parse

from hilum.inference.predictor import Predictor


@pytest.mark.parametrize("name", ["client", "figures", "loop", "machine", "serve", "server", "stages", "train", "wrk"])
def test_importing_a_program_does_nothing(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert importlib.import_module(f"bench.{name}").__doc__
    assert capsys.readouterr().out == ""


def test_percentile_is_the_nearest_rank() -> None:
    values = [15.0, 20.0, 35.0, 40.0, 50.0]
    assert [percentile(values, share) for share in (5, 30, 40, 50, 100)] == [15, 20, 20, 35, 50]
    assert percentile([7.0], 95) == 7
    with pytest.raises(ValueError, match="0 values"):
        percentile([], 50)
    with pytest.raises(ValueError, match="101th"):
        percentile(values, 101)


def test_spread_names_the_middle_and_the_ends() -> None:
    assert spread([3.0, 1.0, 2.04]) == {"median": 2.0, "mean": 2.0, "min": 1.0, "max": 3.0, "n": 3}


def test_a_table_is_aligned_markdown() -> None:
    assert table(("what", "ms"), [("decode", 1.5), ("all", "12.25")]).splitlines() == [
        "| what   |    ms |",
        "| ------ | ----: |",
        "| decode |   1.5 |",
        "| all    | 12.25 |",
    ]


def test_the_report_is_shown_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about = {
        "made_at": "2026-01-01T00:00:00+00:00", "processor": "CPU", "cores": 2, "memory_gb": 8.0, "system": "Linux",
        "load_before": [0.1, 0, 0], "python": "3.11", "packages": {"hilum": "0.1.0"}, "commit": "abc",
    }  # fmt: skip
    report("serve", about, {"x": 1}, "| table |", tmp_path / "new" / "out.json")
    kept = json.loads((tmp_path / "new" / "out.json").read_text())
    assert kept == {"program": "serve", "machine": about, "results": {"x": 1}}
    assert "| table |" in capsys.readouterr().out


def test_wrk_output_is_read() -> None:
    output = """Running 10s test @ http://127.0.0.1:8000
  1 threads and 4 connections
  2040 requests in 10.00s, 2.06MB read
Requests/sec:    204.00

JSON {"requests": 2040, "duration_us": 10000000, "bytes": 2060000, "p50_us": 18500, "p95_us": 31000, \
"p99_us": 40250, "max_us": 55000, "refused": 1, \
"errors": {"status": 1, "connect": 0, "read": 2, "write": 0, "timeout": 3}}
"""
    assert parse(output) == Load(204.0, 18.5, 31.0, 40.25, 55.0, 2040, 6, refused=1)
    with pytest.raises(ValueError, match="no figures: unable to connect"):
        parse("unable to connect")


def _results(**changes: object) -> dict[str, object]:
    load = {"requests_per_s": {"median": 220.0}, "p95_ms": 60.0, "errors": 0}
    results: dict[str, object] = {
        "start": {"median": 1.4},
        "memory_mb": {"after_1000": {"rss": 210.0}},
        "load": [load, load | {"requests_per_s": {"median": 250.0}, "p95_ms": 230.0}],
    }
    return results | changes


def test_goals_are_judged() -> None:
    assert missed_goals(_results()) == []
    slow = {"requests_per_s": {"median": 150.0}, "p95_ms": 60.0, "errors": 2}
    missed = missed_goals(_results(start={"median": 3.5}, memory_mb={"after_1000": {"rss": 301.0}}, load=[slow]))
    assert missed == [
        "start 3.5 s > 3.0 s",
        "memory 301.0 MB > 300.0 MB",
        "150.0 requests/s with p95 < 200.0 ms",
        "2 errors",
    ]


def test_multipart_bodies_hold_the_file() -> None:
    body = multipart(b"\x00bytes", "a.png")
    assert b'name="file"; filename="a.png"' in body
    assert b"\r\n\r\n\x00bytes\r\n--" in body


def test_a_command_is_measured() -> None:
    usage = run_measured([sys.executable, "-c", "raise SystemExit(3)"])
    assert usage.exit_code == 3
    assert usage.wall_s >= 0
    assert usage.peak_rss_mb > 1


def test_stages_add_up_to_the_prediction(tiny_bundle: Path, slice_png: bytes) -> None:
    predictor = Predictor.load(tiny_bundle)
    (seconds,) = measure(predictor, [("a.png", slice_png)], 1)
    assert {"decode", "overview_of", "find_body", "preprocess", "infer", "rest", "predict", "keep"} <= set(seconds)
    parts = sum(value for name, value in seconds.items() if name not in {"predict", "keep"})
    assert parts == pytest.approx(seconds["predict"])


def test_timing_leaves_the_predictor_as_it_was(tiny_bundle: Path) -> None:
    predictor = Predictor.load(tiny_bundle)
    before = predictor._engine.run
    with timed_stages(predictor, {}):
        assert predictor._engine.run is not before
    assert predictor._engine.run == before
