"""Proves many instances under load: restarts, kills, promotes, stops PostgreSQL, and counts what clients see."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from bench import cluster_batches, loop, machine
from bench.batches import draw
from bench.cluster_batches import ask
from bench.figures import percentile, report, table
from bench.steady_load import SteadyLoad
from bench.topology import Topology

_OUTAGE_S = 10.0
_QUIET_S = 3.0
_FOLLOW_S = 60.0


@dataclass(frozen=True)
class Incident:
    """Something that happens to the cluster.

    Attributes:
        name: as the table says it.
        happen: makes it happen and ends once the cluster should be whole again; None where it cannot be made.
        may_fail: whether clients may see failures while it lasts.
    """

    name: str
    happen: Callable[[Topology], str | None]
    may_fail: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the incidents, prints the table and writes the JSON; 1 where clients saw what they must not."""
    options = _parser().parse_args(arguments)
    about = machine.description()
    files = loop.answered_files(machine.test_files(machine.data_folder()), None)[:64]
    named = [(file.name, file.read_bytes()) for file in files]
    rows: list[dict[str, Any]] = []
    with ExitStack() as opened:
        incidents = _large_batch(options.images, opened) if options.images else _incidents()
        topology = opened.enter_context(Topology(options.instances, n_workers=options.workers))
        load = SteadyLoad(topology.nginx.port, named, key=topology.key, clients=options.clients, per_s=options.per_s)
        with load:
            time.sleep(2 * _QUIET_S)
            rows += [_told(incident, topology, load) for incident in incidents]
        acknowledged = [answer.prediction_id for answer in load.answers if answer.is_stored]
        lost = _lost(topology, acknowledged)
    results = {
        "instances": options.instances,
        "workers": options.workers,
        "incidents": rows,
        "answers": len(load.answers),
        "acknowledged": len(acknowledged),
        "lost": lost,
    }
    report("cluster", about, results, _table(results), options.out)
    return 0 if all(row["held"] for row in rows) and not lost else 1


def _incidents() -> list[Incident]:
    return [
        Incident("nothing", _nothing),
        Incident("every instance restarted, one after the other", _restart_all),
        Incident("a model promoted, and rolled back", _promote),
        Incident("an instance killed (SIGKILL) and started again", _kill_one, may_fail=True),
        Incident(f"PostgreSQL stopped for {_OUTAGE_S:.0f} s", _stop_database, may_fail=True),
        Incident("a worker killed (SIGKILL) amid a batch", cluster_batches.kill_worker),
        Incident("every worker killed amid a batch, others started", cluster_batches.replace_workers),
        Incident(
            f"PostgreSQL stopped for {_OUTAGE_S:.0f} s amid a batch",
            lambda topology: cluster_batches.during(topology, _stop_database),
            may_fail=True,
        ),
    ]


def _large_batch(n_images: int, opened: ExitStack) -> list[Incident]:
    """One incident, amid a batch of so many distinct images, which are drawn now."""
    folder = Path(opened.enter_context(TemporaryDirectory(prefix="hilum-cluster-images-")))
    draw(folder, n_images)
    name = f"a worker killed (SIGKILL) amid a batch of {n_images:,} images"
    return [Incident(name, lambda topology: cluster_batches.kill_worker(topology, folder))]


def _told(incident: Incident, topology: Topology, load: SteadyLoad) -> dict[str, Any]:
    """Makes an incident happen and tells what clients saw from its begin until some seconds after it."""
    begin = time.monotonic()
    note = incident.happen(topology)
    over = time.monotonic()
    time.sleep(2 * _QUIET_S)
    answers = load.between(begin, time.monotonic() - _QUIET_S)
    failures = [answer for answer in answers if answer.status != 200]
    later = [answer for answer in load.between(over + _QUIET_S, time.monotonic()) if answer.status != 200]
    held = not later and (incident.may_fail or not failures)
    row = {
        "name": incident.name,
        "is_made": note is not None,
        "note": note or "",
        "seconds": round(over - begin, 1),
        "requests": len(answers),
        "failures": len(failures),
        "statuses": dict(Counter(str(answer.status) for answer in failures)),
        "longest_failing_s": round(failures[-1].sent_at - failures[0].sent_at, 1) if failures else 0.0,
        "failures_after": len(later),
        "not_stored": sum(answer.status == 200 and not answer.is_stored for answer in answers),
        "p95_ms": round(percentile([answer.seconds * 1000 for answer in answers], 95)) if answers else None,
        "held": held,
    }
    print(f"{incident.name}: {row}", file=sys.stderr)
    return row


def _nothing(_: Topology) -> str:
    time.sleep(2 * _QUIET_S)
    return ""


def _restart_all(topology: Topology) -> str:
    codes, waits = [], []
    for instance in topology.instances:
        codes.append(instance.terminate())
        instance.start()
        waits.append(instance.wait_until_ready())
    return f"exit codes {codes}, ready again after {max(waits):.1f} s at the most"


def _kill_one(topology: Topology) -> str:
    topology.instances[0].kill()
    time.sleep(_QUIET_S)
    topology.instances[0].start()
    return f"ready again {topology.instances[0].wait_until_ready():.1f} s after its start"


def _stop_database(topology: Topology) -> str:
    topology.postgresql.stop()
    time.sleep(_OUTAGE_S)
    topology.postgresql.start()
    return "predictions go on, not stored"


def _promote(topology: Topology) -> str | None:
    """Registers the served bundle under another version, promotes it, waits until all follow, and rolls back."""
    if topology.instances[0].ask("/models", topology.key)[0] != 200:
        return None
    before = _served(topology)
    with TemporaryDirectory() as folder:
        version = _register_twin(topology, Path(folder))
    started_at = time.monotonic()
    _post(topology, f"/models/{version}/promote", {})
    followed_s = _wait_until_served(topology, {version}) - started_at
    started_at = time.monotonic()
    _post(topology, "/models/rollback", {})
    back_s = _wait_until_served(topology, before) - started_at
    return f"all instances followed in {followed_s:.1f} s, back in {back_s:.1f} s"


def _register_twin(topology: Topology, folder: Path) -> str:
    """Registers a copy of the reference model under a version of its own."""
    from hilum.inference.bundle import MANIFEST
    from hilum.services.reference import reference_bundle

    bundle = folder / "twin"
    shutil.copytree(reference_bundle(), bundle)
    manifest = json.loads((bundle / MANIFEST).read_text())
    manifest["model_version"] += "-twin"
    (bundle / MANIFEST).write_text(json.dumps(manifest))
    topology.command("models", "register", str(bundle))
    return str(manifest["model_version"])


def _served(topology: Topology) -> set[str]:
    """The versions that the instances serve."""
    return {json.loads(one.ask("/health", topology.key)[1])["model_version"] for one in topology.instances}


def _wait_until_served(topology: Topology, versions: set[str]) -> float:
    deadline = time.monotonic() + _FOLLOW_S
    while time.monotonic() < deadline:
        if _served(topology) == versions:
            return time.monotonic()
        time.sleep(0.1)
    raise SystemExit(f"the instances serve {_served(topology)} and not {versions}")


def _post(topology: Topology, path: str, content: dict[str, Any]) -> None:
    ask(topology, "POST", path, 200, json.dumps(content).encode())


def _lost(topology: Topology, acknowledged: Sequence[str]) -> list[str]:
    """Of the predictions that were told to be stored, those that the history does not have."""
    found: set[str] = set()
    place = ""
    while True:
        page = json.loads(ask(topology, "GET", f"/predictions?limit=200{place}", 200))
        found |= {one["id"] for one in page["items"]}
        if page["next"] is None:
            return [prediction_id for prediction_id in acknowledged if prediction_id not in found]
        place = f"&cursor={quote(page['next'])}"


def _table(results: dict[str, Any]) -> str:
    header = ("what happened", "s", "requests", "failed", "failed later", "not stored", "p95 ms", "held")
    rows = [
        (
            row["name"] if row["is_made"] else f"{row['name']} (not made: no such route)", row["seconds"],
            row["requests"], row["failures"], row["failures_after"], row["not_stored"], row["p95_ms"],
            "yes" if row["held"] else "NO",
        )
        for row in results["incidents"]
    ]  # fmt: skip
    notes = "\n".join(f"{row['name']}: {row['note']}" for row in results["incidents"] if row["note"])
    return (
        f"{table(header, rows)}\n\n{notes}\n\n{results['instances']} instances and {results['workers']} workers; "
        f"{results['answers']} answers, {results['acknowledged']} of them acknowledged as stored, "
        f"{len(results['lost'])} of those lost"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster", description=__doc__)
    parser.add_argument("--instances", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--images", type=int, help="instead of all else a worker's death amid a batch of so many")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--per-s", type=float, default=5.0, help="requests a second of each client")
    parser.add_argument("--out", type=Path, help="JSON file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
