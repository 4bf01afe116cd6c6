"""Proves that models are swapped under load without a failed request and without an answer of two models.

    python -m bench.swap

Two `hilum serve` processes share a database and a store. While clients send test images to both without a pause, the
champion moves: a promotion, a rollback, a promotion. Each answer is compared with what the version it names says of
that image, computed without a server. The exit code is 1 where a request failed, an answer is not its version's, or an
instance took more than 10 s after a promotion to answer with the new model, or more than 5 s after a rollback.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench import loop, machine
from bench.client import BOUNDARY, multipart
from bench.figures import report, table
from bench.server import Server, hilum_command
from hilum.imaging.phantoms import draw_phantom
from hilum.imaging.preprocess import preprocess
from hilum.inference.bundle import MANIFEST
from hilum.inference.calibration import calibrated_probabilities
from hilum.inference.engines import OnnxEngine
from hilum.inference.manifest import Manifest
from hilum.services.reference import reference_bundle

GOALS = {"requests": 5000, "failed": 0, "inconsistent": 0, "promotion_s": 10.0, "rollback_s": 5.0}
OTHER = "swap-bench-other"
_SAME = 1e-6
_FILES = 32
_QUIET_S = 3.0
_PATIENCE_S = 60.0


@dataclass
class Seen:
    """What clients saw; appended to from several threads.

    Attributes:
        answers: when (monotonic), by which server, of which file, version and whether the numbers are that version's.
        failures: status, or the error in words.
    """

    answers: list[tuple[float, int, str, bool]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the load and the moves, prints the table and writes the JSON; 1 where a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=GOALS["requests"], help="at the least")
    parser.add_argument("--clients", type=int, default=2, help="for each of the two servers")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    about = machine.description()
    reference = reference_bundle()
    paths = loop.answered_files(machine.test_files(machine.data_folder()), reference)[:_FILES]
    with TemporaryDirectory(prefix="hilum-swap-") as scratch:
        other = other_bundle(reference, Path(scratch) / "other")
        expected = {name: _expected(bundle, paths) for name, bundle in (("reference", reference), ("other", other))}
        versions = {_version(reference): expected["reference"], OTHER: expected["other"]}
        shared = {
            "HILUM_DATABASE_URL": f"sqlite:///{scratch}/shared.db", "HILUM_BLOBS_URL": f"file://{scratch}/blobs",
        }  # fmt: skip
        environment = os.environ | shared | {"HILUM_HOME": f"{scratch}/operator"}
        subprocess.run([*hilum_command(), "models", "register", str(other)], env=environment, check=True)
        with Server(None, shared) as one, Server(None, shared) as two:
            results = measure((one, two), paths, versions, given.requests, given.clients)
    missed = missed_goals(results, given.requests)
    rows = [(move["move"], *(f"{seconds:.2f}" for seconds in move["seconds"])) for move in results["moves"]]
    shown = (
        f"{results['requests']} requests, {results['failed']} failed, {results['inconsistent']} inconsistent\n\n"
        + table(("move", "server 1 answers with it after s", "server 2 after s"), rows)
    )
    report("swap", about, results | {"missed_goals": missed}, shown, given.out)
    return 1 if missed else 0


def measure(
    servers: Sequence[Server],
    paths: Sequence[Path],
    versions: dict[str, list[dict[str, float]]],
    least: int,
    clients: int,
) -> dict[str, Any]:
    """Loads both servers while the champion moves three times."""
    seen, stop = Seen(), threading.Event()
    bodies = [multipart(path.read_bytes(), path.name) for path in paths]
    threads = [
        threading.Thread(target=_ask, args=((index, server.port), bodies, versions, seen, stop))
        for index, server in enumerate(servers)
        for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    (reference,) = set(versions) - {OTHER}
    moves = []
    try:
        for path, version in ((f"{OTHER}/promote", OTHER), ("rollback", reference), (f"{OTHER}/promote", OTHER)):
            time.sleep(_QUIET_S)
            moves.append(_move(servers, path, version, seen))
        while len(seen.answers) + len(seen.failures) < least:
            time.sleep(0.2)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return {
        "requests": len(seen.answers) + len(seen.failures),
        "failed": len(seen.failures),
        "failures": seen.failures[:20],
        "inconsistent": sum(not is_same for *_, is_same in seen.answers),
        "answers_by_version": {name: sum(said == name for _, _, said, _ in seen.answers) for name in versions},
        "moves": moves,
    }


def missed_goals(results: dict[str, Any], least: int) -> list[str]:
    """What is not as it must be, in words."""
    missed = []
    if results["requests"] < least:
        missed.append(f"{results['requests']} requests < {least}")
    missed += [f"{results[name]} {name}" for name in ("failed", "inconsistent") if results[name]]
    for move in results["moves"]:
        goal = GOALS["rollback_s" if move["move"] == "rollback" else "promotion_s"]
        missed += [f"{move['move']} took {seconds:.1f} s > {goal} s" for seconds in move["seconds"] if seconds > goal]
    return missed


def other_bundle(bundle: Path, folder: Path) -> Path:
    """A copy that answers otherwise: its temperature is another, and its golden predictions with it."""
    shutil.copytree(bundle, folder)
    manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    temperature = manifest.temperature * 2
    golden = {}
    for file, rows in manifest.golden.items():
        engine = OnnxEngine(folder / file)
        tensors = [preprocess(draw_phantom(row.phantom_seed), manifest.preprocessing)[np.newaxis] for row in rows]
        said = [calibrated_probabilities(engine.run(tensor).logits, temperature)[0].tolist() for tensor in tensors]
        golden[file] = tuple(
            row.model_copy(update={"probabilities": tuple(one)}) for row, one in zip(rows, said, strict=True)
        )
    changes = {"model_version": OTHER, "temperature": temperature, "golden": golden}
    (folder / MANIFEST).write_text(manifest.model_copy(update=changes).model_dump_json(indent=2))
    return folder


def _move(servers: Sequence[Server], path: str, version: str, seen: Seen) -> dict[str, Any]:
    """Moves the champion by way of the first server, and waits until both answer with it."""
    asked_at = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", servers[0].port, timeout=30)
    connection.request("POST", f"/models/{path}")
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise SystemExit(f"{path} was answered {response.status}: {body[:300].decode(errors='replace')}")
    answered_at = time.monotonic()
    until = answered_at + _PATIENCE_S
    seconds: dict[int, float] = {}
    while len(seconds) < len(servers) and time.monotonic() < until:
        for at, index, said, _ in list(seen.answers):
            if at > asked_at and said == version and index not in seconds:
                seconds[index] = max(0.0, at - answered_at)
        time.sleep(0.02)
    found = [round(seconds.get(index, _PATIENCE_S), 3) for index in range(len(servers))]
    return {"move": path.rpartition("/")[2], "request_s": round(answered_at - asked_at, 3), "seconds": found}


def _ask(
    server: tuple[int, int],
    bodies: Sequence[bytes],
    versions: dict[str, list[dict[str, float]]],
    seen: Seen,
    stop: threading.Event,
) -> None:
    index, port = server
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for number in itertools.cycle(range(len(bodies))):
        if stop.is_set():
            return
        try:
            headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
            connection.request("POST", "/predict", bodies[number], headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            seen.failures.append(repr(error))
            connection.close()
            continue
        if response.status != 200:
            seen.failures.append(f"{response.status} {body[:200].decode(errors='replace')}")
            continue
        answer = json.loads(body)
        expected = versions.get(answer["model_version"])
        is_same = expected is not None and _is_same(answer["probabilities"], expected[number])
        seen.answers.append((time.monotonic(), index, answer["model_version"], is_same))


def _is_same(found: dict[str, float], expected: dict[str, float]) -> bool:
    return found.keys() == expected.keys() and all(abs(found[name] - expected[name]) <= _SAME for name in expected)


def _expected(bundle: Path, paths: Sequence[Path]) -> list[dict[str, float]]:
    predictor = loop.load_predictor(bundle)
    return [predictor.predict(path.read_bytes(), name=path.name).probabilities for path in paths]


def _version(bundle: Path) -> str:
    return Manifest.model_validate_json((bundle / MANIFEST).read_bytes()).model_version


if __name__ == "__main__":
    sys.exit(main())
