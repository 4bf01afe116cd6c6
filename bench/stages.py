"""Shows where the time of one prediction goes, by stage, on one thread and without HTTP."""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench import loop, machine
from bench.figures import percentile, report, spread, table
from hilum.imaging import preprocess as preprocess_module
from hilum.inference import predictor as predictor_module
from hilum.inference.predictor import Prediction, Predictor
from hilum.services.recent import RecentPrediction

_STAGES = (
    (predictor_module, ("decode", "overview_of", "quality_warnings", "preprocess", "calibrated_probabilities")),
    (preprocess_module, ("find_body",)),
)
"""Modules, and the names in them that are each a stage."""

Seconds = dict[str, float]


@contextmanager
def timed_stages(predictor: Predictor, seconds: Seconds) -> Iterator[None]:
    """Adds to `seconds` what each stage of the predictor takes while the block runs."""
    functions = [(module, name, getattr(module, name)) for module, names in _STAGES for name in names]
    engine, gate = predictor._engine, predictor._gate
    run, admit = engine.run, gate.admit if gate else None
    try:
        for module, name, function in functions:
            setattr(module, name, _timed(name, function, seconds))
        engine.run = _timed("infer", run, seconds)  # type: ignore[method-assign]
        if gate and admit:
            gate.admit = _timed("gate", admit, seconds)  # type: ignore[method-assign]
        yield
    finally:
        for module, name, function in functions:
            setattr(module, name, function)
        del engine.run
        if gate:
            del gate.admit


def measure(predictor: Predictor, files: Sequence[tuple[str, bytes]], repeats: int) -> list[Seconds]:
    """The median over `repeats` of each stage's seconds, for each file; `rest` is what no stage accounts for."""
    per_file: list[list[Seconds]] = [[] for _ in files]
    for _ in range(repeats):
        for (name, data), found in zip(files, per_file, strict=True):
            found.append(_measure_once(predictor, name, data))
    return [{stage: median(one[stage] for one in found) for stage in found[0]} for found in per_file]


def _measure_once(predictor: Predictor, name: str, data: bytes) -> Seconds:
    seconds: Seconds = defaultdict(float)
    with timed_stages(predictor, seconds):
        started_at = time.perf_counter()
        prediction: Prediction = predictor.predict(data, name=name, decoder=predictor_module.decode)
        total = time.perf_counter() - started_at
    kept_at = time.perf_counter()
    RecentPrediction.of(prediction)
    kept = time.perf_counter() - kept_at
    return {**seconds, "rest": total - sum(seconds.values()), "predict": total, "keep": kept}


def _timed(name: str, function: Callable[..., Any], seconds: Seconds) -> Callable[..., Any]:
    def timed(*args: Any, **options: Any) -> Any:
        started_at = time.perf_counter()
        try:
            return function(*args, **options)
        finally:
            seconds[name] += time.perf_counter() - started_at

    return timed


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table and writes the JSON."""
    options = _parser().parse_args(arguments)
    about = machine.description()
    files = [(file.name, file.read_bytes()) for file in machine.test_files(machine.data_folder())]
    predictor = loop.load_predictor(options.model)
    measure(predictor, files[:20], 1)
    per_file = measure(predictor, files, options.repeats)
    results, rows = {}, []
    for stage in per_file[0]:
        milliseconds = [seconds[stage] * 1000 for seconds in per_file]
        results[stage] = spread(milliseconds, 3) | {"p95": round(percentile(milliseconds, 95), 3)}
        figures = results[stage]
        rows.append((stage, f"{figures['median']:.2f}", f"{figures['mean']:.2f}", f"{figures['p95']:.2f}"))
    shown = table(("stage", "median ms", "mean ms", "p95 ms"), rows)
    note = "`predict` is the sum of the stages above it; `keep` prepares the picture that /explanation draws later."
    report("stages", about, {"repeats": options.repeats, "ms": results}, f"{shown}\n\n{note}", options.out)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description=__doc__)
    parser.add_argument("--model", type=Path, help="bundle to use; by default the reference model")
    parser.add_argument("--repeats", type=int, default=5, help="of each file, whose median counts")
    parser.add_argument("--out", type=Path, help="JSON file; by default one in bench/results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
