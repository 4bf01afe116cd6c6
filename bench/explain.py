"""What a heat map costs, as a share of a prediction in the same run: its place in the graph, and drawing it."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import onnx

from bench import loop, machine
from bench.figures import report, table
from hilum.imaging.preprocess import preprocess
from hilum.inference.engines import open_session
from hilum.inference.explain import explanation_of, heat_map_png
from hilum.inference.predictor import Predictor
from hilum.services.reference import reference_bundle

GOAL = 0.30
"""The heat map's greatest share of a prediction's time."""

_STEPS = ("map in the graph", "drawn as PNG", "both")


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    started_at = time.perf_counter()
    work()
    return time.perf_counter() - started_at


def without_maps(graph: Path, folder: Path) -> Path:
    """The same graph without the maps, so that nothing of them is computed."""
    model = onnx.load(graph)
    kept = [output for output in model.graph.output if output.name != "activation_maps"]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    onnx.save(model, folder / "without-maps.onnx")
    return folder / "without-maps.onnx"


def measure(predictor: Predictor, graph: Path, files: Sequence[bytes], repeats: int) -> list[dict[str, float]]:
    """Seconds of each file's prediction and of what its heat map adds, taken in turn."""
    with tempfile.TemporaryDirectory() as folder:
        sessions = [open_session(path, threads=1) for path in (graph, without_maps(graph, Path(folder)))]
    rows = []
    for data in files:
        prediction = predictor.predict(data)
        batch = preprocess(prediction.ct_slice.pixels, predictor.manifest.preprocessing, prediction.body)[None]
        runs: list[dict[str, float]] = []
        for _ in range(repeats):
            full, bare = (seconds(lambda: one.run(None, {"slice": batch})) for one in sessions)  # noqa: B023
            drawing = seconds(lambda: heat_map_png(explanation_of(prediction)))  # noqa: B023 - called at once
            predicting = seconds(lambda: predictor.predict(data))  # noqa: B023
            runs.append({"predict": predicting, "map": full - bare, "draw": drawing})
        rows.append({name: median(run[name] for run in runs) for name in runs[0]})
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table and writes the JSON; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.explain", description=__doc__)
    parser.add_argument("--model", type=Path, help="bundle to use; by default the reference model")
    parser.add_argument("--files", type=int, default=100, help="of the test images, evenly chosen")
    parser.add_argument("--repeats", type=int, default=7, help="of each file, whose median counts")
    parser.add_argument("--out", type=Path, help="JSON file; by default one in bench/results")
    options = parser.parse_args(arguments)
    about = machine.description()
    paths = machine.test_files(machine.data_folder())
    files = [path.read_bytes() for path in paths[:: max(1, len(paths) // options.files)]]
    model = options.model or reference_bundle()
    predictor = loop.load_predictor(model)
    rows = measure(predictor, model / predictor.manifest.engine_files[0], files, options.repeats)
    predict = median(row["predict"] for row in rows)
    costs = [[row["map"] for row in rows], [row["draw"] for row in rows], [row["map"] + row["draw"] for row in rows]]
    results = {
        name: {
            "ms": round(median(cost) * 1000, 3),
            "share": round(median(c / row["predict"] for c, row in zip(cost, rows, strict=True)), 4),
        }
        for name, cost in zip(_STEPS, costs, strict=True)
    }
    shown = table(
        ("step", "median ms", "share of a prediction"),
        [
            ("predict", f"{predict * 1000:.2f}", "1"),
            *((n, f"{r['ms']:.3f}", f"{r['share']:.3f}") for n, r in results.items()),
        ],
    )
    is_met = results["both"]["share"] <= GOAL
    verdict = f"at most {GOAL:.2f} is the goal: {'met' if is_met else 'missed'}; n = {len(rows)} files, one thread"
    report(
        "explain",
        about,
        {"n": len(rows), "predict_ms": predict * 1000, "steps": results},
        f"{shown}\n\n{verdict}",
        options.out,
    )
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
