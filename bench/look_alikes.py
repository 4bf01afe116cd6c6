"""What look-alikes cost, as shares of a prediction in the same run: features, file hash, sketch, nearest slices."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from bench import loop, machine
from bench.figures import report, table
from hilum.dataset.groups import fingerprint_of
from hilum.dataset.sketch import SKETCH_SIZE, sketch_of
from hilum.imaging.preprocess import preprocess
from hilum.inference.neighbours import Neighbours, unit_rows
from hilum.inference.predictor import Predictor

_SIZES = (1_000, 100_000)
_COMPARED = 128


def random_neighbours(count: int, n_features: int) -> Neighbours:
    """So many training slices of random features: the time does not depend on what they are."""
    rng = np.random.default_rng(0)
    return Neighbours(
        mean=np.zeros(n_features, np.float32),
        projection=rng.normal(size=(n_features, _COMPARED)).astype(np.float32),
        features=unit_rows(rng.normal(size=(count, _COMPARED)).astype(np.float32)),
        sketches=unit_rows(rng.normal(size=(count, SKETCH_SIZE)).astype(np.float32)),
        sha256=rng.integers(0, 256, (count, 32), np.uint8),
        labels=np.array(["a", "b"]),
        label_index=np.zeros(count, np.uint16),
        sources=np.array(["data"]),
        source_index=np.zeros(count, np.uint16),
        names=np.array([f"train/a/{row}.png" for row in range(count)]),
    )


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    started_at = time.perf_counter()
    work()
    return time.perf_counter() - started_at


def output_shares(graph: Path, tensors: Sequence[NDArray[np.float32]], repeats: int) -> list[float]:
    """Time of a run that fetches the features over the run before it that does not, in turn."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph.read_bytes(), options, providers=["CPUExecutionProvider"])
    least = ["logits", "activation_maps"]
    shares = []
    for _ in range(repeats):
        for tensor in tensors:
            without = seconds(lambda: session.run(least, {"slice": tensor}))  # noqa: B023 - called at once
            fetched = seconds(lambda: session.run([*least, "features"], {"slice": tensor}))  # noqa: B023
            shares.append(fetched / without)
    return shares


def step_times(predictor: Predictor, data: bytes, lists: dict[int, Neighbours]) -> dict[str, float]:
    """Seconds of a prediction and of each step that look-alikes add to it, one after the other."""
    found: dict[str, float] = {"predict": seconds(lambda: predictor.predict(data))}
    prediction = predictor.predict(data)
    features = prediction.features
    if features is None:
        raise SystemExit("this bundle's graph gives no features; train one with this version of hilum")
    pixels, body = prediction.ct_slice.pixels, prediction.body
    for count, neighbours in lists.items():
        digest = hashlib.sha256(data).hexdigest()
        sketch = sketch_of(fingerprint_of(pixels, body)[np.newaxis])[0]
        found[f"nearest 5 of {count:,}"] = seconds(lambda: neighbours.nearest(features, 5))  # noqa: B023
        found[f"same slice among {count:,}"] = seconds(lambda: neighbours.identity(digest, sketch))  # noqa: B023
    small = lists[min(lists)]
    found["same file"] = seconds(lambda: small.identity(hashlib.sha256(data).hexdigest()))
    found["sketch"] = seconds(lambda: sketch_of(fingerprint_of(pixels, body)[np.newaxis]))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table and writes the JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.look_alikes", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="bundle whose graph gives features")
    parser.add_argument("--files", type=int, default=60, help="of the test images, evenly chosen")
    parser.add_argument("--repeats", type=int, default=5, help="of each file")
    parser.add_argument("--out", type=Path, help="JSON file; by default one in bench/results")
    options = parser.parse_args(arguments)
    about = machine.description()
    paths = machine.test_files(machine.data_folder())
    files = [path.read_bytes() for path in paths[:: max(1, len(paths) // options.files)]]
    loaded = loop.load_predictor(options.model)
    plain = Predictor(loaded.manifest, loaded._engine)  # whatever list the bundle has is left out of the baseline
    first = plain.predict(files[0]).features
    lists = {count: random_neighbours(count, 0 if first is None else len(first)) for count in _SIZES}

    rows = [step_times(plain, data, lists) for _ in range(options.repeats) for data in files]
    tensors = [
        preprocess(loaded.predict(data).ct_slice.pixels, loaded.manifest.preprocessing)[np.newaxis] for data in files
    ]
    graph = options.model / loaded.manifest.engine_files[0]
    results: dict[str, Any] = {
        name: {"ms": median(row[name] for row in rows) * 1000, "share": median(r[name] / r["predict"] for r in rows)}
        for name in rows[0]
    }
    fetching = median(output_shares(graph, tensors, options.repeats))
    results["inference with features over without"] = {"ms": None, "share": fetching}
    shown = [(name, "" if r["ms"] is None else f"{r['ms']:.3f}", f"{r['share']:.4f}") for name, r in results.items()]
    note = (
        f"n = {len(rows)} predictions of {len(files)} files, one thread; medians. Share: of the prediction beside it."
    )
    text = f"{table(('step', 'ms', 'share'), shown)}\n\n{note}"
    report("look-alikes", about, {"n": len(rows), "steps": results}, text, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
